"""AMA: an autoencoder whose critic compares each image beside itself with it beside its reconstruction.

G. Somepalli, Y. Wu, Y. Balaji, B. Vinzamuri, S. Feizi, "Unsupervised Anomaly Detection with Adversarial Mirrored
AutoEncoders", UAI 2021, https://arxiv.org/abs/2003.10713. Where the paper is silent the authors' code decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from amiss.adversaries.latents import DetachedSimplex, Shell, Simplex
from amiss.adversaries.negatives import Decoded, Known, Reconstructed
from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend
from amiss.engine.settings import within
from amiss.nets.small import check_spec
from amiss.nets.sngan import Critic, Generator, encoder, frame
from amiss.nets.statistics import held_statistics
from amiss.objectives.mirrored import EveryPixel, SecondImage, mirror_gaps, second, stacked
from amiss.scores.pairs import PairScorer
from amiss.scores.typicality import Moments, Typicality


@dataclass(frozen=True)
class AMA(Method):
    """Hyperparameters of AMA; by default small enough for minutes on a CPU."""

    mirrored: bool = True
    """Whether the critic sees pairs; otherwise it sees the second image alone, the plain Wasserstein loss."""
    lambda_inter: float = 0.2
    """Weight of interpolated codes; 0 leaves them out."""
    lambda_neg: float = 0.0
    """Weight of negative pairs; 0 leaves them out."""
    lambda_reg: float = 1.0
    """Weight of the norm of codes."""
    lambda_gp: float = 10.0
    """Weight of the gradient penalty."""
    interpolation: Simplex | DetachedSimplex = Simplex()
    """How codes are interpolated."""
    negatives: Decoded | Reconstructed | Known = Decoded()
    """Which negative pairs there are, if they have a weight."""
    penalty: SecondImage | EveryPixel = SecondImage()
    """Which slope of the critic is held at one."""
    spectral: bool = False
    """Whether the critic's layers are divided by their spectral norm."""
    two_sided: bool = False
    """Whether the score is A, which is high for R on both sides of that of normal images; otherwise it is R."""
    width: float = 1 / 16
    """Channels of the networks as a share of the published ones."""
    floor: int = 16
    """Fewest channels of a layer, whatever the width."""
    d: int = 64
    """Width of the latent code; 128 in the authors' code."""
    n_critic: int = 2
    """Steps of the critic for each of the encoder and the generator, on the same images."""
    lr: float = 3e-4
    """Learning rate of Adam."""
    milestones: tuple[int, ...] = ()
    """Epochs after each of which the learning rate falls to a tenth."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 1
    """Passes over the training images."""
    updates: int = 600
    """At least so many steps of the encoder and the generator, in more epochs where the images are few."""

    def __post_init__(self) -> None:
        within(self, lambda_inter=(0, inf), lambda_neg=(0, inf), lambda_reg=(0, inf), lambda_gp=(0, inf))
        within(self, width=(1e-3, 8), floor=(1, inf), d=(1, inf), n_critic=(1, inf), lr=(1e-12, 10))
        within(self, batch_size=(2, inf), epochs=(0, inf), updates=(0, inf))

    @property
    def semi_supervised(self) -> bool:
        """With known anomalies as negative pairs."""
        return self.negatives.asks_known and self.lambda_neg > 0

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> AMALearner:
        """Make the learner; raises InputError for images other than 28x28 or 32x32, and for anomalies it cannot use."""
        if known is not None and not self.semi_supervised:
            raise InputError(
                "ama learns from normal images only: it cannot use known anomalies, unless its negatives are Known "
                "and lambda_neg is above 0, as in ama_semi"
            )
        return AMALearner(self, spec, known)


PUBLISHED = AMA(
    lambda_neg=0.1,  # the code's 1 on a tenth of the batch
    negatives=Decoded(Shell(measured=False), portion=0.1, start=0.1),
    spectral=True,
    two_sided=True,
    width=1.0,
    d=128,
    n_critic=5,
    milestones=(30, 60, 90),
    batch_size=256,
    epochs=100,
    updates=0,
)
COMPOSED = AMA(lambda_neg=0.1, two_sided=True)

PRESETS: dict[str, Method] = {
    "ama_published": PUBLISHED,
    "ama_released": replace(
        PUBLISHED, lambda_neg=1.0, interpolation=DetachedSimplex(), negatives=Reconstructed(), penalty=EveryPixel()
    ),
    "ama_semi": AMA(lambda_neg=0.5, negatives=Known()),
    "ama_composed": COMPOSED,
}


@dataclass(frozen=True)
class Made:
    """What the encoder and the generator make of a batch, once for all steps of the critic."""

    x: Tensor  # normal images (m, C, 32, 32)
    others: list[Tensor]  # their reconstructions, and decoded interpolations, each (m, C, 32, 32)
    negatives: tuple[Tensor, Tensor] | None  # first and second images of negative pairs, each (n, C, 32, 32)

    def detached(self) -> Made:
        """The same as constants."""
        pairs = None if self.negatives is None else (self.negatives[0].detach(), self.negatives[1].detach())
        return Made(self.x, [y.detach() for y in self.others], pairs)


class AMALearner(Learner):
    """Encoder, generator and critic, and the moments of R over the training images."""

    def __init__(self, hp: AMA, spec: ImageSpec, known: Tensor | None) -> None:
        super().__init__()
        check_spec(spec)
        self.hp, self.known = hp, None if known is None else frame(known)
        self.view = stacked if hp.mirrored else second
        self.encoder = encoder(spec.channels, hp.width, hp.floor, hp.d)
        self.generator = Generator(spec.channels, hp.width, hp.floor, hp.d)
        self.critic = Critic(spec.channels * (2 if hp.mirrored else 1), hp.width, hp.floor, spectral=hp.spectral)
        self.moments = Moments()
        self.adam_e = torch.optim.Adam(self.encoder.parameters(), hp.lr, (0.5, 0.9), fused=True)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), hp.lr, (0.0, 0.9), fused=True)
        self.adam_d = torch.optim.Adam(self.critic.parameters(), hp.lr, (0.0, 0.9), fused=True)

    def phases(self) -> Iterator[Phase]:
        """Train, then observe R of the training images."""
        if self.hp.semi_supervised and self.known is None:
            raise InputError("ama with known anomalies as negative pairs was given none: it can only be loaded so")
        yield Phase("mirrored", self.step, self.hp.epochs, self.hp.batch_size, steps=self.hp.updates)
        yield Phase("observe", self.observe, 1, self.hp.batch_size)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """D(x, y), (B,), of framed images (B, C, 32, 32)."""
        return self.critic(self.view(x, y))

    def step(self, x: Tensor) -> Losses:
        """The critic ascends, then the encoder and the generator descend, L_normal - lambda_neg L_neg.  (Eq. 2)"""
        hp = self.hp
        passed = sum(self.clock >= epoch for epoch in hp.milestones)
        for group in (g for adam in (self.adam_e, self.adam_g, self.adam_d) for g in adam.param_groups):
            group["lr"] = hp.lr * 0.1**passed
        made, codes = self.make(frame(x))
        fixed = made.detached()
        for _ in range(hp.n_critic):
            losses = self.losses(fixed)
            losses["penalty"] = self.slope(fixed)
            descend(hp.lambda_gp * losses["penalty"] - self.objective(losses, fixed), self.adam_d)
        losses["norm"] = codes.norm(dim=1).mean()
        total = self.objective(self.losses(made), made) + hp.lambda_reg * losses["norm"]
        descend(total, self.adam_e, self.adam_g)
        return losses

    def make(self, x: Tensor) -> tuple[Made, Tensor]:
        """Reconstruct framed images (B, C, 32, 32), and decode interpolated and atypical codes; also codes (m, d)."""
        n = self.hp.negatives.count(len(x), self.elapsed) if self.hp.lambda_neg else 0
        one, two = None, None
        if n:
            with held_statistics(self.encoder, self.generator):
                one, two = self.hp.negatives(x[:n], self.encoder, self.generator, self.known)
            x = x[n:] if self.hp.negatives.replaces else x
        m = len(x)
        codes = self.encoder(x if one is None or two is not None else torch.cat([x, one]))
        decoded = self.generator(codes)
        codes, others = codes[:m], [decoded[:m]]
        if self.hp.lambda_inter:
            mixed, partners = self.hp.interpolation(codes)
            between = self.generator(mixed.detach() if self.hp.interpolation.detached else mixed)
            between = between.detach() if self.hp.interpolation.detached else between
            others += [between[index] for index in partners]
        negatives = None if one is None else (one, decoded[m:] if two is None else two)
        return Made(x, others, negatives), codes

    def losses(self, made: Made) -> Losses:
        """Mirror gaps of the reconstructions, of the interpolations and of the negative pairs, scalars."""
        gap, *between = mirror_gaps(self.value, made.x, made.others)
        losses = {"gap": gap.mean()}  # Eq. 3, its first term
        if between:
            losses["interpolation"] = torch.stack(between).mean()  # Eq. 3, its second term
        if made.negatives is not None:
            losses["negative"] = mirror_gaps(self.value, made.negatives[0], made.negatives[1:])[0].mean()  # Eq. 4
        return losses

    def objective(self, losses: Losses, made: Made) -> Tensor:
        """L_normal - lambda_neg L_neg without the norm of codes; negatives that replace images share one mean."""
        hp, share = self.hp, 0.0
        if made.negatives is not None and hp.negatives.replaces:
            share = len(made.negatives[0]) / (len(made.x) + len(made.negatives[0]))
        total = losses["gap"] * (1 - share)
        if "interpolation" in losses:
            total = total + hp.lambda_inter * losses["interpolation"]
        if "negative" in losses:
            total = total - hp.lambda_neg * (share or 1.0) * losses["negative"]
        return total

    def slope(self, made: Made) -> Tensor:
        """Gradient penalty of the critic on reconstructions and negative pairs, a scalar."""
        x, y = made.x, made.others[0]
        if made.negatives is not None:
            x, y = torch.cat([x, made.negatives[0]]), torch.cat([y, made.negatives[1]])
        return self.hp.penalty(self.value, x, y).mean()

    def observe(self, x: Tensor) -> Losses:
        """Take R of training images into its mean and standard deviation."""
        scorer = self.pairs().eval()
        with torch.no_grad():
            self.moments.add(scorer(x))
        return {}

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Codes (B, d), reconstructions (B, C, 32, 32) and the critic's values of them (B,)."""
        x = frame(x)
        codes = self.encoder(x)
        made = self.generator(codes)
        return {"latent": codes, "generated": made, "critic": self.value(x, made)}

    def pairs(self) -> PairScorer:
        """R alone."""
        return PairScorer(self.encoder, self.generator, self.critic, self.view)

    def scorer(self) -> Scorer:
        """R, or A if the score is two-sided; the other is a term."""
        return Typicality(self.pairs(), self.moments, {"A": 1.0} if self.hp.two_sided else {"R": 1.0})
