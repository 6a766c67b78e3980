"""HistoryAD: a critic that tells normal images from all that a generator made while it learned to make them.

P. Chatillon, C. Ballester, "History-based anomaly detector: an adversarial approach to anomaly detection", 2020,
https://arxiv.org/abs/1912.11843. There is no code of the authors; what the paper leaves open is in the docs page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from amiss.adversaries.history import Decay, History, WeightAverage, widened
from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend
from amiss.engine.settings import within
from amiss.nets.dcgan import DCGenerator, PoolingCritic, signed
from amiss.objectives.total_variation_distance import bounded_difference
from amiss.objectives.wasserstein import gradient_penalty
from amiss.scores.critic import CriticScorer


@dataclass(frozen=True)
class Fresh:
    """The detector starts from random weights."""


@dataclass(frozen=True)
class Averaged:
    """The detector starts from the average of the critics of the history (Eq. 14)."""

    scaled: bool = True
    """Whether the average is first scaled so that its mean is -1 on normal images and 1 on the history."""


@dataclass(frozen=True)
class HistoryAD(Method):
    """Hyperparameters of HistoryAD."""

    alpha: float = 0.1
    """When the history begins, in epochs of the generator's training as `epochs` counts them."""
    beta: float = 1.0
    """How fast the history's density falls, per epoch; the paper's number divided by `epochs` (see the docs)."""
    lam: float = 10.0
    """Weight of the bound that keeps the detector's values near -1 to 1 (lambda)."""
    start: Fresh | Averaged = Fresh()
    """What the detector starts from."""
    spread: float = 1.0
    """Standard deviation of every second latent code that the history is made from; 3 is experimental case 2."""
    epochs: int = 3
    """Length of the generator's training (n_epochs), in passes over the training images."""
    updates: int = 1800
    """Fewest critic steps of the generator's training: with fewer images there are more passes, and t still ends at
    `epochs`."""
    n_critic: int = 3
    """Critic steps per step of the generator."""
    penalty: float = 10.0
    """Weight of the gradient penalty."""
    lr: float = 5e-4
    """Learning rate of generator and critic at the start; it falls linearly to a tenth."""
    saves: int = 50
    """Critics per epoch that enter the average."""
    keep: int = 50
    """States of the generator that are kept."""
    few: int = 4
    """Kept states from which each batch of the history is made."""
    tv_epochs: int = 1
    """Passes over the training images of the detector's training."""
    tv_updates: int = 3000
    """Fewest steps of the detector's training; 0, with no epochs either, leaves it as it starts."""
    tv_lr: float = 1e-3
    """Learning rate of the detector at the start; it falls linearly to a tenth."""
    z: int = 64
    """Width of the latent code."""
    width: float = 0.125
    """Channels of all layers as a share of the published networks of five million parameters."""
    batch_size: int = 64
    """Images per step."""

    def __post_init__(self) -> None:
        within(self, epochs=(1, inf), alpha=(0, self.epochs), beta=(0, inf), lam=(0, inf), spread=(0, inf))
        within(self, updates=(0, inf), n_critic=(1, inf), penalty=(0, inf), lr=(1e-12, 10), tv_lr=(1e-12, 10))
        within(self, saves=(1, inf), keep=(1, inf), few=(1, inf), tv_epochs=(0, inf), tv_updates=(0, inf))
        within(self, z=(1, inf), width=(1e-6, inf), batch_size=(1, inf))

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> HistoryADLearner:
        """Make the learner; raises InputError for images that are not 28x28 or 32x32, and for known anomalies."""
        if known is not None:
            raise InputError("history_ad learns from normal images only: it cannot use known anomalies")
        return HistoryADLearner(self, spec)


PRESETS: dict[str, Method] = {
    "history_ad_published": HistoryAD(
        alpha=1.0, beta=3 / 5, epochs=5, n_critic=5, start=Averaged(), width=1.0, tv_epochs=5
    ),
    "history_ad_wide": HistoryAD(spread=3.0),
    "history_ad_init": HistoryAD(start=Averaged(), tv_epochs=0, tv_updates=0),
}


class HistoryADLearner(Learner):
    """Generator and critic, their history, and the detector D_TV."""

    seen: Tensor  # () critic steps done
    saved: Tensor  # () saves done
    sums: Tensor  # (3,) of the averaged critic's values on normal images and on the history, and how many of each

    def __init__(self, hp: HistoryAD, spec: ImageSpec) -> None:
        super().__init__()
        self.hp = hp
        self.density = Decay(hp.alpha, hp.beta, hp.epochs)
        self.g = DCGenerator(spec, hp.z, hp.width)
        self.d = PoolingCritic(spec, hp.width)
        self.d_tv = PoolingCritic(spec, hp.width)
        self.average = WeightAverage(self.d)
        self.history = History(self.g, self.density, hp.keep)
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=hp.lr, betas=(0.5, 0.9))
        # All but the last bias, which moves every value alike: no difference of values can teach it.
        self.adam_d = torch.optim.Adam([*self.d.parameters()][:-1], lr=hp.lr, betas=(0.5, 0.9))
        self.adam_tv = torch.optim.Adam(self.d_tv.parameters(), lr=hp.tv_lr)
        for name in ("seen", "saved"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        self.register_buffer("sums", torch.zeros(3))

    def phases(self) -> Iterator[Phase]:
        """The history, the scale of the averaged critic where it is used, then the total variation distance."""
        hp = self.hp
        yield Phase("gan", self.gan_step, hp.epochs, hp.batch_size, steps=hp.updates)
        if self.seen:
            self.observe(hp.epochs)
        if isinstance(hp.start, Averaged) or not self.seen:  # without any training, the average of nothing: all zero
            self.d_tv.load_state_dict(self.average.net.state_dict())  # Eq. 14
        if hp.start == Averaged(scaled=True):
            yield Phase("scale", self.scale_step, 1, hp.batch_size, after_epoch=self.rescale)
        if hp.tv_epochs or hp.tv_updates:
            yield Phase("total variation", self.tv_step, hp.tv_epochs, hp.batch_size, steps=hp.tv_updates)

    def latent(self, x: Tensor) -> Tensor:
        """Latent codes (B, d) from the standard normal law, one for each image."""
        return torch.randn(len(x), self.hp.z, dtype=x.dtype, device=x.device)

    def observe(self, t: float) -> None:
        """Take the present critic into the average and the generator into the history, where time t asks for it."""
        due = int(t * self.hp.saves + 1e-6)  # a save is not missed by a rounding error
        for save in range(int(self.saved), due + 1):
            self.average.add(self.d, self.density.weight(save / self.hp.saves))
        self.saved.fill_(due + 1)
        self.history.record(self.g, t)

    def gan_step(self, x: Tensor) -> Losses:
        """One step of the critic, and every n_critic-th time one of the generator."""
        hp, real = self.hp, signed(x)
        self.observe(hp.epochs * self.elapsed)
        for group in (*self.adam_d.param_groups, *self.adam_g.param_groups):
            group["lr"] = hp.lr * (1 - 0.9 * self.elapsed)
        with torch.no_grad():
            fake = self.g(self.latent(x))
        gap = (self.d(real) - self.d(fake)).mean()  # Eq. 2: negative on real images, positive on generated ones
        penalty = gradient_penalty(self.d, real, fake).mean()
        descend(gap + hp.penalty * penalty, self.adam_d)
        self.seen += 1
        if int(self.seen) % hp.n_critic == 0:
            descend(self.d(self.g(self.latent(x))).mean(), self.adam_g)  # Eq. 2
        return {"gap": gap, "penalty": penalty}

    def past(self, x: Tensor) -> Tensor:
        """As many images of the history as there are in x (B, C, H, W), in [-1, 1]."""
        return self.history.sample(self.g.eval(), widened(self.latent(x), self.hp.spread), self.hp.few)  # Eq. 3

    @torch.no_grad()
    def scale_step(self, x: Tensor) -> Losses:
        """Sum up what the averaged critic gives normal images and the history."""
        normal, past = self.d_tv(signed(x)), self.d_tv(self.past(x))
        self.sums += torch.stack([normal.sum(), past.sum(), past.new_tensor(len(x))])
        return {"normal": normal.mean(), "history": past.mean()}

    def rescale(self) -> None:
        """Give the averaged critic the means -1 on normal images and 1 on the history; no image changes its rank."""
        self.d_tv.rescale(self.sums[0] / self.sums[2], self.sums[1] / self.sums[2])

    def tv_step(self, x: Tensor) -> Losses:
        """One step towards the total variation distance between normal images and the history."""
        for group in self.adam_tv.param_groups:
            group["lr"] = self.hp.tv_lr * (1 - 0.9 * self.elapsed)
        normal, past = self.d_tv(signed(x)), self.d_tv(self.past(x))
        loss = bounded_difference(normal, past, self.hp.lam).mean()  # Eq. 10
        descend(loss, self.adam_tv)
        return {"total variation": loss, "gap": (normal - past).mean()}

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Images (B, C, H, W) for fixed latent codes, and the detector's values (B,)."""
        fixed = torch.randn(len(x), self.hp.z, generator=torch.Generator().manual_seed(0))
        return {"generated": self.g(fixed.to(x)), "critic": self.d_tv(signed(x))}

    def scorer(self) -> Scorer:
        """D_TV: about -1 on normal images, about 1 on what the generator left behind."""
        return CriticScorer(self.d_tv)
