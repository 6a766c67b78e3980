"""CURE-TSR: traffic signs without a challenging condition are normal, the same signs under one are not (GradCon)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.catalogue.cure_tsr import CONDITIONS
from amiss.protocols.parts import Part, assemble, draws, some
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task, hold_out

DATASET = "cure-tsr"
GRADCON = ("decolorization", "lens blur", "dirty lens", "exposure", "gaussian blur", "rain", "snow", "haze")
"""The eight conditions of GradCon's Figure 4, of the twelve of the data set."""


@dataclass(frozen=True)
class CureTsr(Protocol):
    """GradCon, Section 5.1: learn challenge-free signs of all types; one trial for each condition and level."""

    conditions: tuple[str, ...] = GRADCON
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    """1 is the mildest."""
    size: int = 28
    """Side in pixels to which images are resampled; the paper does not state it."""
    limit: int | None = None
    """Most signs of a trial, drawn by the seed and the same in every trial; None takes all."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (DATASET, "train"), (DATASET, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the tenth of the training images that validates, and the signs if limited.

        A trial has the challenge-free test images that are there under its condition and level too, then those.
        Raises InputError for conditions and levels that do not exist, or of which there are no images.
        """
        if unknown := set(self.conditions) - set(CONDITIONS[1:]):
            raise InputError(f"{sorted(unknown)} are no conditions: accepted are {', '.join(CONDITIONS[1:])}")
        if not self.conditions or not self.levels or not set(self.levels) <= {1, 2, 3, 4, 5}:
            raise InputError(f"{self.conditions} at levels {self.levels}: some of each are needed, levels from 1 to 5")
        train, test = (source(DATASET, side, size=self.size) for side in ("train", "test"))
        free = np.flatnonzero(_under(test, 0, 0))
        if self.limit is not None:
            free = np.sort(some(draws(seed, "signs"), free, min(self.limit, len(free)), "challenge-free signs"))
        every = Part(test.images, test.tags["condition"] != 0)
        test.images.digests()  # once for all trials, which are views
        trials = {
            f"{condition} {level}": every.subset(_pairs(test, free, condition, level))
            for condition in self.conditions
            for level in self.levels
        }
        learnt = train.images.subset(np.flatnonzero(_under(train, 0, 0)))
        return hold_out(assemble("traffic signs under conditions", learnt, trials), 0.1, seed)


def _under(data: Labelled, condition: int, level: int) -> NDArray[np.bool_]:
    return (data.tags["condition"] == condition) & (data.tags["level"] == level)


def _pairs(data: Labelled, free: NDArray[np.int64], condition: str, level: int) -> NDArray[np.int64]:
    """Indices of challenge-free signs, then of the same signs under a condition."""
    under = np.flatnonzero(_under(data, CONDITIONS.index(condition), level))
    sign = data.labels + len(data.classes) * data.tags["index"]
    _, first, second = np.intersect1d(sign[free], sign[under], return_indices=True)
    if not len(first):
        raise InputError(f"no test image of {DATASET} is there without a condition and under {condition} {level} too")
    return np.concatenate([free[first], under[second]])
