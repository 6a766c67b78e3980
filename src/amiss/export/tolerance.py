"""How far another runtime's scores may lie from torch's: the one table, and the unit in which it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import TOLERANCE, Calibration

BATCHES = (1, 5, 33)
"""Sizes of batches in which images are compared."""


@dataclass(frozen=True)
class Tolerance:
    """The table: what may differ, in units of `Scale`."""

    usual: float = TOLERANCE
    """Most for all images but a few. It is also the distance from the threshold within which labels may differ.

    Where a score is the difference of large numbers, as AMA's is, float32 itself is off by more: see `loosened`.
    """
    times: float = 4.0
    """`usual` is at least so many times what float32 scores differ from float64 ones in torch, for all but a few."""
    few: float = 0.01
    """Share of images, and at least one image, that may lie beyond: rounding moves one activation across a kink."""
    worst: float = 0.01
    """Most for any image."""

    def loosened(self, rounding: float) -> Tolerance:
        """The table for a model whose float32 scores differ from its float64 ones by this much."""
        return replace(self, usual=min(max(self.usual, self.times * rounding), self.worst))


TABLE = Tolerance()


@dataclass(frozen=True)
class Scale:
    """In what a difference of two scores is measured: the spread of normal scores, or the distance from them."""

    centre: float
    """Median score of normal images."""
    spread: float
    """Their interquartile range, or standard deviation where that is 0."""

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Scale:
        """Take it from scores (n,) of normal images, n > 0, such as those that calibrate."""
        return cls(float(np.median(scores)), Calibration(scores).tolerance / TOLERANCE)

    def difference(self, found: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Differences (N,); the unit is the spread, or the distance from normal scores where that is larger.

        Far from all normal images rounding grows with the score, and no decision is at stake.
        """
        unit = np.maximum(self.spread, np.abs(expected - self.centre))
        apart = np.abs(found - expected)
        return np.divide(apart, unit, out=np.where(apart == 0, 0.0, np.inf), where=unit > 0)

    def near(self, scores: NDArray[np.float64], threshold: float | None, usual: float) -> NDArray[np.bool_]:
        """Which scores (N,) lie within so many spreads of the threshold; none without one."""
        if threshold is None:
            return np.zeros(len(scores), bool)
        return np.abs(scores - threshold) <= usual * self.spread
