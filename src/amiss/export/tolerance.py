"""How far another runtime's scores may lie from torch's: the one table, and the unit in which it is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import TOLERANCE, Calibration

BATCHES = (1, 5, 33)
"""Sizes of batches in which images are compared."""


@dataclass(frozen=True)
class Tolerance:
    """The table: what may differ, in units of `Scale`."""

    usual: float = TOLERANCE
    """Most for all images but a few. It is also the distance from the threshold within which labels may differ."""
    few: float = 0.01
    """Share of images, and at least one image, that may lie beyond: rounding moves one activation across a kink."""
    worst: float = 0.01
    """Most for any image."""


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

    def near(self, scores: NDArray[np.float64], threshold: float | None) -> NDArray[np.bool_]:
        """Which scores (N,) lie within the tolerance of the threshold; none without one."""
        if threshold is None:
            return np.zeros(len(scores), bool)
        return np.abs(scores - threshold) <= TABLE.usual * self.spread
