"""ARAE: an autoencoder whose code stands firm against perturbed images, so that it keeps what is special to normals.

M. Salehi, A. Arya, B. Pajoum, M. Otoofi, A. Shaeiri, M. H. Rohban, H. R. Rabiee, "ARAE: Adversarially Robust Training
of Autoencoders Improves Novelty Detection", 2020, https://arxiv.org/abs/2003.05669. Where the paper is silent the
authors' code decides.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor, nn

from amiss.adversaries.noise import Clean, Noise
from amiss.adversaries.perturbation import L2, Linf
from amiss.adversaries.spatial import Grid
from amiss.adversaries.union import Union
from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend
from amiss.engine.settings import within
from amiss.nets.mlp_autoencoder import ReluMLP, SigmoidMLP
from amiss.nets.strided_autoencoder import Strided
from amiss.objectives.latent import LatentShift, ReconstructionError, mean_square, sum_square
from amiss.objectives.reconstruction import SquaredError
from amiss.scores.reconstruction import ReconstructionScorer


@dataclass(frozen=True)
class ARAE(Method):
    """Hyperparameters of ARAE."""

    gamma: float = 0.1
    """Weight of the latent loss."""
    net: SigmoidMLP | ReluMLP | Strided = SigmoidMLP()
    """The autoencoder."""
    adversary: Linf | L2 | Grid | Union | Noise | Clean = Linf()
    """What makes images hard."""
    target: LatentShift | ReconstructionError = LatentShift()
    """What the adversary raises."""
    per_batch: bool = False
    """Whether each batch is attacked with the present weights, or the whole set with those at the epoch's start."""
    sums: bool = False
    """Whether the losses are sums over values, as printed, or means, as in the authors' code."""
    lr: float = 3e-3
    """Learning rate of Adam."""
    batch_size: int = 64
    """Images per step."""
    clean_epochs: int = 20
    """Passes over the training images before the first attack; from an attacked start the code may collapse."""
    epochs: int = 40
    """Passes over the training images under attack."""
    least_steps: int = 1800
    """Least steps of each of the two phases: where few images make fewer, there are more passes."""

    def __post_init__(self) -> None:
        within(self, gamma=(0, inf), lr=(1e-12, 10), batch_size=(1, inf))
        within(self, clean_epochs=(0, inf), epochs=(0, inf), least_steps=(0, inf))

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> ARAELearner:
        """Make the learner; raises InputError for images that the net cannot take, and for known anomalies."""
        if known is not None:
            raise InputError("arae learns from normal images only: it cannot use known anomalies")
        return ARAELearner(self, spec)


PUBLISHED = ARAE(adversary=Linf(0.2, steps=40), lr=1e-3, batch_size=256, clean_epochs=0, epochs=1600, least_steps=0)
RELEASED = ARAE(
    gamma=0.2,
    net=ReluMLP(),
    adversary=Union((L2(5.0, steps=100, step=0.1), Linf(0.2, steps=40, step=0.01), Grid())),
    per_batch=True,
    lr=1e-3,
    batch_size=128,
    clean_epochs=0,
    epochs=500,
    least_steps=0,
)
PLAIN = ARAE(
    gamma=0.0,
    adversary=Clean(),
    target=ReconstructionError(),  # needs no code of the clean image, which nobody would look at
    per_batch=True,
)
PRESETS: dict[str, Method] = {
    "arae_published": PUBLISHED,
    "arae_published_fashion": replace(PUBLISHED, adversary=Linf(0.05, steps=40), epochs=8000),
    "arae_published_coil": replace(PUBLISHED, adversary=Linf(0.05, steps=20), batch_size=16, epochs=1000),
    "arae_sums": ARAE(sums=True),
    "arae_batch": ARAE(per_batch=True),
    "arae_r": ARAE(target=ReconstructionError()),
    "arae_a": replace(RELEASED, epochs=20, least_steps=900),
    "arae_a_released": RELEASED,
    "arae_conv": ARAE(net=Strided(), lr=1e-3, batch_size=16, clean_epochs=10, epochs=50, least_steps=300),
    "dae": replace(PLAIN, adversary=Noise()),
    "ae": PLAIN,
}


class ARAELearner(Learner):
    """The autoencoder, and what is attacked of it as it stood when the epoch began."""

    def __init__(self, hp: ARAE, spec: ImageSpec) -> None:
        super().__init__()
        self.hp = hp
        self.ae = hp.net(spec)
        self.error = sum_square if hp.sums else mean_square
        self.adam = torch.optim.Adam(self.ae.parameters(), lr=hp.lr)
        self.frozen = None if hp.per_batch else copy.deepcopy(self.attacked).requires_grad_(False)

    @property
    def attacked(self) -> nn.Module:
        """The part of the present autoencoder that is attacked."""
        return self.hp.target.net(self.ae)

    def phases(self) -> Iterator[Phase]:
        """Clean images first, so that the code spreads; then the images that the adversary makes."""
        hp = self.hp
        for name, step, epochs in (("clean", self.clean_step, hp.clean_epochs), ("attacked", self.step, hp.epochs)):
            self.freeze()
            if epochs:
                size, least = hp.batch_size, hp.least_steps
                yield Phase(name, step, epochs, size, divisible=True, steps=least, after_epoch=self.freeze)

    def freeze(self) -> None:
        """Attack the present weights until the next call."""
        if self.frozen is not None:
            self.frozen.load_state_dict(self.attacked.state_dict())

    def clean_step(self, x: Tensor) -> Losses:
        """Descend the reconstruction loss of the plain autoencoder."""
        recon = self.error(x, self.ae(x)).mean()
        descend(recon, self.adam)
        return {"recon": recon}

    def step(self, x: Tensor) -> Losses:
        """Make hard images (k B, C, H, W) and descend L_AE on them."""
        net = self.attacked if self.frozen is None else self.frozen
        worst = self.hp.adversary(self.hp.target.objective(net, x), x)  # Eq. 1
        k = len(worst) // len(x)
        z_worst = self.ae.encoder(worst)
        recon = self.error(torch.cat([x] * k), self.ae.decoder(z_worst)).mean()  # Eq. 4
        losses, total = {"recon": recon}, recon
        if self.hp.gamma:
            z = self.ae.encoder(x)  # with its gradient: both codes move
            losses["latent"] = self.error(torch.cat([z] * k), z_worst).mean()  # Eq. 2
            total = recon + self.hp.gamma * losses["latent"]  # Eq. 3
        descend(total, self.adam)
        return losses

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Codes (B, ...)."""
        return {"latent": self.ae.encoder(x)}

    def scorer(self) -> Scorer:
        """Squared error of the clean image's reconstruction, a mean over its values."""
        return ReconstructionScorer(self.ae, SquaredError())
