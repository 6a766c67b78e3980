"""GradCon: an autoencoder whose decoder gradients are constrained to one direction; anomalies leave it.

G. Kwon, M. Prabhushankar, D. Temel, G. AlRegib, "Backpropagated Gradient Representations for Anomaly Detection",
ECCV 2020, https://arxiv.org/abs/2007.09507. Where the paper is silent the authors' code decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend
from amiss.engine.settings import within
from amiss.nets.conv_autoencoder import ConvAutoencoder, ConvVAE, begin_at
from amiss.objectives.gradients import Direction
from amiss.objectives.reconstruction import CrossEntropy, ReconstructionLoss, SquaredError
from amiss.scores.gradients import GradConScorer


@dataclass(frozen=True)
class GradCon(Method):
    """Hyperparameters of GradCon."""

    alpha: float = 0.03
    """Weight of the gradient loss in training; 0 trains the plain autoencoder."""
    beta: float | None = None
    """Weight of the gradient loss in the score; 4 alpha if not given, as in the paper."""
    variational: bool = False
    """Whether the autoencoder is variational, with binary cross entropy and a divergence from the prior."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    batch_size: int = 64
    """Images per step."""
    epochs: int = 50
    """Passes over the training images; the authors' code makes 1000."""
    centred: bool | None = None
    """Whether images begin at the brightness of the first batch, or else at mid-grey; None: after a dead start only."""

    def __post_init__(self) -> None:
        within(self, alpha=(0, inf), beta=(0, inf), lr=(1e-12, 10), batch_size=(1, inf), epochs=(0, inf))

    def again(self) -> GradCon | None:
        """After a dead start from mid-grey, begin at the brightness of the images (docs/adr/0011)."""
        return replace(self, centred=True) if self.centred is None else None

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> GradConLearner:
        """Make the learner; raises InputError for sides that are odd or outside 16 to 256, and for known anomalies."""
        if known is not None:
            raise InputError("gradcon learns from normal images only: it cannot use known anomalies")
        return GradConLearner(self, spec)


PRESETS: dict[str, Method] = {
    "gradcon_published": GradCon(epochs=1000, centred=False),
    "gradcon_vae": GradCon(variational=True),
    "cae": GradCon(alpha=0.0),
    "vae": GradCon(alpha=0.0, variational=True),
}


class GradConLearner(Learner):
    """The autoencoder, and the mean over all iterations of the decoder's weight gradients of J."""

    held_out = True

    def __init__(self, hp: GradCon, spec: ImageSpec) -> None:
        super().__init__()
        self.hp = hp
        self.ae = ConvVAE(spec) if hp.variational else ConvAutoencoder(spec)
        self.error: ReconstructionLoss = CrossEntropy() if hp.variational else SquaredError()
        self.adam = torch.optim.Adam(self.ae.parameters(), lr=hp.lr)
        self.direction = Direction(self.ae.decoder)

    def phases(self) -> Iterator[Phase]:
        """One phase: the whole objective from the first step on."""
        yield Phase("autoencoder", self.step, self.hp.epochs, self.hp.batch_size, divisible=True)

    def losses(self, x: Tensor, create_graph: bool) -> Losses:
        """L, Omega and L_grad of a batch (B, C, H, W), scalars."""
        z, omega = self.ae.encode(x)
        losses = {"recon": self.error(x, self.ae.decoder(z)).mean(), "latent": omega.mean()}
        grad = self.direction.misalignment(losses["recon"], create_graph) if self.hp.alpha else None  # Eq. 6
        if grad is not None:  # L_grad is left out in the first iteration
            losses["grad"] = grad
        return losses

    def objective(self, losses: Losses) -> Tensor:
        """J = L + Omega + alpha L_grad."""
        total = losses["recon"] + losses["latent"]
        return total + self.hp.alpha * losses["grad"] if "grad" in losses else total

    def step(self, x: Tensor) -> Losses:
        """Descend J, then take its gradient into the reference."""
        if self.hp.centred and not self.direction.iterations:
            begin_at(self.ae.decoder, x)
        losses = self.losses(x, create_graph=True)
        descend(self.objective(losses), self.adam)
        self.direction.update()
        return losses

    def criterion(self, x: Tensor) -> Tensor:
        """J of held-out normal images, with their batch gradient against the current reference."""
        return self.objective(self.losses(x, create_graph=False)).detach()

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Inputs of the decoder (B, 64, h, w), and the images (B, C, H, W) that it makes of them."""
        z, _ = self.ae.encode(x)
        return {"latent": z, "reconstruction": self.ae.decoder(z)}

    def scorer(self) -> Scorer:
        """L + beta L_grad of each image alone."""
        beta = 4 * self.hp.alpha if self.hp.beta is None else self.hp.beta
        return GradConScorer(self.ae, self.error, list(self.direction.mean), beta)
