"""GradCon on ARAE's hard images: the gradient constraint on an autoencoder that is trained against an adversary.

GradCon: G. Kwon, M. Prabhushankar, D. Temel, G. AlRegib, "Backpropagated Gradient Representations for Anomaly
Detection", ECCV 2020, https://arxiv.org/abs/2007.09507. ARAE: M. Salehi, A. Arya, B. Pajoum, M. Otoofi, A. Shaeiri,
M. H. Rohban, H. R. Rabiee, "ARAE: Adversarially Robust Training of Autoencoders Improves Novelty Detection", 2020,
https://arxiv.org/abs/2003.05669. The combination is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from amiss.adversaries.noise import Clean, Noise
from amiss.adversaries.perturbation import L2, Linf
from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend
from amiss.engine.settings import within
from amiss.nets.conv_autoencoder import ConvAutoencoder, begin_at
from amiss.objectives.gradients import Direction
from amiss.objectives.latent import LatentShift, mean_square
from amiss.objectives.reconstruction import SquaredError
from amiss.scores.gradients import GradConScorer


@dataclass(frozen=True)
class GradConARAE(Method):
    """Hyperparameters of GradCon on ARAE's hard images."""

    alpha: float = 0.03
    """Weight of the gradient loss in training."""
    beta: float | None = None
    """Weight of the gradient loss in the score; 4 alpha if not given."""
    gamma: float = 0.1
    """Weight of the latent loss."""
    adversary: Linf | L2 | Noise | Clean = Linf(steps=5)
    """What makes images hard, by moving their codes."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    batch_size: int = 64
    """Images per step."""
    clean_epochs: int = 10
    """Passes over the training images before the first attack; attacked from the start, it may keep the mean image."""
    epochs: int = 20
    """Passes over the training images under attack."""
    centred: bool | None = None
    """Whether images begin at the brightness of the first batch, or else at mid-grey; None: after a dead start only."""

    def __post_init__(self) -> None:
        within(self, alpha=(0, inf), beta=(0, inf), gamma=(0, inf))
        within(self, lr=(1e-12, 10), batch_size=(1, inf), clean_epochs=(0, inf), epochs=(0, inf))

    def again(self) -> GradConARAE | None:
        """After a dead start from mid-grey, begin at the brightness of the images, as GradCon does."""
        return replace(self, centred=True) if self.centred is None else None

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> GradConARAELearner:
        """Make the learner; raises InputError for sides that are odd or outside 16 to 256, and for known anomalies."""
        if known is not None:
            raise InputError("gradcon_arae learns from normal images only: it cannot use known anomalies")
        return GradConARAELearner(self, spec)


class GradConARAELearner(Learner):
    """The autoencoder, and the mean over all iterations of the decoder's weight gradients of J."""

    held_out = True

    def __init__(self, hp: GradConARAE, spec: ImageSpec) -> None:
        super().__init__()
        self.hp = hp
        self.ae = ConvAutoencoder(spec)
        self.error = SquaredError()
        self.adam = torch.optim.Adam(self.ae.parameters(), lr=hp.lr)
        self.direction = Direction(self.ae.decoder)

    def phases(self) -> Iterator[Phase]:
        """The whole objective, on clean images first, then under attack."""
        if self.hp.clean_epochs:
            yield Phase("clean", self.clean_step, self.hp.clean_epochs, self.hp.batch_size, divisible=True)
        yield Phase("attacked", self.step, self.hp.epochs, self.hp.batch_size, divisible=True)

    def losses(self, x: Tensor, worst: Tensor, create_graph: bool) -> Losses:
        """L, the latent loss and L_grad of images x (B, C, H, W) and their hard forms, scalars."""
        z, z_worst = self.ae.encoder(x), self.ae.encoder(worst)
        recon = self.error(x, self.ae.decoder(z_worst)).mean()  # ARAE, Eq. 4
        losses = {"recon": recon, "latent": mean_square(z, z_worst).mean()}  # ARAE, Eq. 2
        grad = self.direction.misalignment(recon, create_graph) if self.hp.alpha else None  # GradCon, Eq. 6
        if grad is not None:  # L_grad is left out in the first iteration
            losses["grad"] = grad
        return losses

    def objective(self, losses: Losses) -> Tensor:
        """J = L + gamma latent + alpha L_grad."""
        total = losses["recon"] + self.hp.gamma * losses["latent"]
        return total + self.hp.alpha * losses["grad"] if "grad" in losses else total

    def clean_step(self, x: Tensor) -> Losses:
        """Descend J on the images (B, C, H, W) as they are."""
        return self.learn(x, x)

    def step(self, x: Tensor) -> Losses:
        """Make hard images of x (B, C, H, W), and descend J on them."""
        return self.learn(x, self.hp.adversary(LatentShift().objective(self.ae.encoder, x), x))  # ARAE, Eq. 1

    def learn(self, x: Tensor, worst: Tensor) -> Losses:
        """Descend J of images and their hard forms, then take its gradient into the reference."""
        if self.hp.centred and not self.direction.iterations:
            begin_at(self.ae.decoder, x)
        losses = self.losses(x, worst, create_graph=True)
        descend(self.objective(losses), self.adam)
        self.direction.update()
        return losses

    def criterion(self, x: Tensor) -> Tensor:
        """J of held-out normal images as they are, which is what the score sees."""
        return self.objective(self.losses(x, x, create_graph=False)).detach()

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Codes (B, 64, h, w), and the images (B, C, H, W) that are made of them."""
        z = self.ae.encoder(x)
        return {"latent": z, "reconstruction": self.ae.decoder(z)}

    def scorer(self) -> Scorer:
        """L + beta L_grad of each image as it is, and alone."""
        beta = 4 * self.hp.alpha if self.hp.beta is None else self.hp.beta
        return GradConScorer(self.ae, self.error, list(self.direction.mean), beta)
