"""A method under check, with the fits that several checks share."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import ImageSpec, Learner, Method, Progress, Scorer
from amiss.data.images import Images
from amiss.engine.fitting import Fitted, fit
from amiss.engine.progress import silent
from amiss.engine.runtime import Runtime
from amiss.testing.samples import Samples, synthetic
from amiss.transforms.unit import to_unit

SPEC = ImageSpec(1, 28, 28)
BRIEF_EPOCHS = 2
REAL_EPOCHS = 4


@dataclass(eq=False)
class Subject:
    """A method under check; every fit is made when a check first asks for it."""

    method: Method
    spec: ImageSpec = SPEC
    seeds: tuple[int, ...] = (0, 1)
    max_epochs: int = 12

    def __post_init__(self) -> None:
        if len(set(self.seeds)) < 2:
            raise ValueError(f"the checks compare fits of different seeds: give at least two, not {self.seeds}")

    @property
    def name(self) -> str:
        """What messages call the method."""
        return repr(self.method)

    @cached_property
    def samples(self) -> Samples:
        """The easy set."""
        return synthetic(self.spec)

    def known(self, samples: Samples) -> Images | None:
        """Known anomalies, for a method that needs them."""
        return samples.known if self.method.semi_supervised else None

    @cached_property
    def fitted(self) -> Scorer:
        """The scorer after the longest fit, with the first seed."""
        fitted = fit(
            self.method,
            self.spec,
            self.samples.train,
            self.samples.held_out,
            runtime=Runtime("cpu", seed=self.seeds[0]),
            max_epochs=self.max_epochs,
            known=self.known(self.samples),
        )
        return fitted.scorer

    @cached_property
    def images(self) -> Tensor:
        """The test images of the easy set, (B, C, H, W) float32 in [0, 1]: as many normal as anomalous ones."""
        return to_unit(self.samples.test.take(np.arange(len(self.samples.test))))

    @cached_property
    def few(self) -> Samples:
        """A part of the easy set for brief fits: three batches of 64."""
        return synthetic(self.spec, train=160, held_out=16, test=16)

    def brief(
        self, seed: int, *, method: Method | None = None, workdir: Path | None = None, progress: Progress = silent
    ) -> Fitted:
        """Fit for two epochs; no health checks, which such training need not pass."""
        return fit(
            method or self.method,
            self.spec,
            self.few.train,
            self.few.held_out,
            runtime=Runtime("cpu", seed=seed),
            workdir=workdir,
            max_epochs=BRIEF_EPOCHS,
            check=False,
            progress=progress,
            known=self.known(self.few),
        )

    @cached_property
    def briefly_fitted(self) -> tuple[Scorer, Learner]:
        """Scorer and learner after a brief fit with the first seed."""
        kept = _Kept(self.method)
        scorer = self.brief(self.seeds[0], method=kept).scorer
        return scorer, kept.made[0]

    @cached_property
    def repeated(self) -> tuple[Scorer, bool]:
        """Scorer of a second such fit from other global random states, and whether it left these as they were."""
        with own_random_states():
            before = random_states()
            scorer = self.brief(self.seeds[0]).scorer
            return scorer, random_states() == before


@dataclass(frozen=True)
class _Kept(Method):
    """Lets a check look at the learner that the engine trains."""

    method: Method
    made: list[Learner] = field(default_factory=list)

    @property
    def semi_supervised(self) -> bool:
        """As the method."""
        return self.method.semi_supervised

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> Learner:
        """Make the method's learner and keep it."""
        learner = self.method.learner(spec, known)
        self.made.append(learner)
        return learner


def random_states() -> tuple[object, ...]:
    """The global random states of torch, NumPy and Python, comparable."""
    numpy_state = np.random.get_state(legacy=False)
    return torch.get_rng_state().numpy().tobytes(), repr(numpy_state), random.getstate()


@contextmanager
def own_random_states() -> Iterator[None]:
    """Start from other global random states, and give the caller's back."""
    numpy_state, python_state = np.random.get_state(legacy=False), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(314)
        np.random.seed(314)
        random.seed(314)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def require(holds: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds; unlike an assert statement, under `python -O` too."""
    if not holds:
        raise AssertionError(sentence)
