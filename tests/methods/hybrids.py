"""Small images and fits that the tests of methods made of methods share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, Learner, Losses, Method, Phase, Scorer
from amiss.data.images import Images
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime

SPEC = ImageSpec(1, 6, 6)


def blobs(n: int, seed: int) -> Images:
    """Images (n, 1, 6, 6): a pattern of varying strength, and noise."""
    rng = np.random.default_rng(seed)
    pattern = np.linspace(0, 1, 36).reshape(1, 1, 6, 6) * rng.uniform(0.5, 1, (n, 1, 1, 1))
    return Images((pattern + rng.normal(0, 0.05, (n, 1, 6, 6))).clip(0, 1).astype(np.float32))


TRAIN, HELD_OUT = blobs(40, 0), blobs(15, 1)


def images(n: int, seed: int = 2) -> Tensor:
    """Normal images (n, 1, 6, 6), in the second half with a row painted white."""
    x = torch.from_numpy(blobs(n, seed).take(np.arange(n)).numpy())
    x[n // 2 :, :, 2] = 1
    return x


@dataclass(frozen=True)
class Kept(Method):
    """Keeps the learner that is made, for the test to look at."""

    method: Method
    made: list[Learner] = field(default_factory=list)

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> Learner:
        self.made.append(self.method.learner(spec, known))
        return self.made[-1]


def fitted(method: Method, **rest: object) -> tuple[Scorer, Learner]:
    """The scorer and the learner after a fit with seed 0."""
    kept = Kept(method)
    scorer = fit(kept, SPEC, TRAIN, HELD_OUT, runtime=Runtime("cpu", seed=0), **rest).scorer
    return scorer, kept.made[0]


def held_out() -> Tensor:
    """All held-out images (15, 1, 6, 6)."""
    return torch.from_numpy(HELD_OUT.take(np.arange(len(HELD_OUT))).numpy())


@dataclass(frozen=True)
class Walk(Method):
    """A method of two phases whose weights walk at random, once an epoch."""

    epochs: int = 6
    semi: bool = False

    @property
    def semi_supervised(self) -> bool:
        return self.semi

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> WalkLearner:
        return WalkLearner(self.epochs, known)


class WalkLearner(Learner):
    """Notes the path of its weights."""

    held_out = True
    path: Tensor
    tracked: Tensor

    def __init__(self, epochs: int, known: Tensor | None) -> None:
        super().__init__()
        self.epochs, self.known = epochs, known
        self.w = nn.Parameter(torch.ones(2))
        self.register_buffer("path", torch.zeros(0, 2))
        self.register_buffer("tracked", torch.zeros((), dtype=torch.int64))

    def phases(self) -> Iterator[Phase]:
        for name in ("first", "second"):
            yield Phase(name, self.step, self.epochs, 8, after_epoch=self.walk)

    def step(self, x: Tensor) -> Losses:
        return {}

    def walk(self) -> None:
        with torch.no_grad():
            self.w += torch.randn(2)
        self.tracked += 1
        self.path = torch.cat([self.path, self.w.detach()[None]])

    def criterion(self, x: Tensor) -> Tensor:
        return self.w.detach().square().sum()

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        return {"latent": x.flatten(1)}

    def scorer(self) -> Scorer:
        return WalkScorer(self)


class WalkScorer(Scorer):
    """A line through the mean of an image's pixels."""

    path: Tensor
    tracked: Tensor

    def __init__(self, learner: WalkLearner) -> None:
        super().__init__()
        self.w = learner.w
        self.register_buffer("path", learner.path)
        self.register_buffer("tracked", learner.tracked)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(1) * self.w[0] + self.w[1]
