"""How far a critic's features of (x, x) lie from those of (x, reconstruction) (Somepalli et al., UAI 2021)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from amiss.contracts import Scorer
from amiss.nets.sngan import Critic, frame, unframe
from amiss.objectives.reconstruction import SquaredError
from amiss.objectives.variation import total_variation


class PairScorer(Scorer):
    """R: L1 distance of the critic's penultimate features of (x, x) and (x, G(E(x)))."""

    def __init__(
        self, encoder: nn.Module, generator: nn.Module, critic: Critic, view: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        """Take networks, and what the critic sees of two images (B, C, H, W)."""
        super().__init__()
        self.encoder, self.generator, self.critic, self.view = encoder, generator, critic, view
        self.weights = {"R": 1.0}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """R, pixel (mean squared error of the reconstruction) and tv (roughness of the image itself); each (B,)."""
        framed = frame(x)
        made = self.made(framed)
        difference = self.critic.features(self.view(framed, framed)) - self.critic.features(self.view(framed, made))
        return {
            "R": difference.abs().sum(1),  # Eq. 5
            "pixel": SquaredError()(x, unframe(made, x.shape[-1])),
            "tv": total_variation(x),
        }

    def made(self, framed: Tensor) -> Tensor:
        """G(E(x)) of framed images, framed, (B, C, 32, 32)."""
        return self.generator(self.encoder(framed))

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(E(x)) of images, (B, C, H, W)."""
        return unframe(self.made(frame(x)), x.shape[-1])

    def forward(self, x: Tensor) -> Tensor:
        """R, (B,)."""
        return self.terms(x)["R"]
