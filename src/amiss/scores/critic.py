"""A critic's output as the score."""

from __future__ import annotations

from torch import Tensor, nn

from amiss.contracts import Scorer
from amiss.nets.dcgan import signed


class CriticScorer(Scorer):
    """The value that a critic gives an image; the critic must be higher on what is not real."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        """The critic's values (B,) of images (B, C, H, W) in [0, 1], which it sees in [-1, 1]."""
        return self.critic(signed(x))
