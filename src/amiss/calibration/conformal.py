"""Split-conformal decisions: scores of normal images that nothing else saw become p-values, a threshold and labels.

V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer 2005;
R. Laxhammar, G. Falkman, "Conformal prediction for distribution-independent anomaly detection in streaming vessel
data", StreamKDD 2010, https://doi.org/10.1145/1833280.1833287.

With n calibration scores and a false-alarm rate fpr, at most m = floor(fpr * (n + 1)) of n + 1 exchangeable normal
images may be flagged: those above the order statistic s_(k), k = n + 1 - m. The threshold stands just above it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amiss.plain import InputError

TOLERANCE = 1e-5
"""Share of the scores' spread within which two runtimes may differ on one image."""


def allowed(fpr: float, n: int) -> int:
    """Return m = floor(fpr * (n + 1)), how many of n + 1 normal images may be flagged.

    The product is exact in the decimals of `fpr`: 0.01 * 100 is 1. Raises InputError unless fpr lies strictly between
    0 and 1.
    """
    return floor(_exact(fpr) * (n + 1))


def needed(fpr: float) -> int:
    """Return the smallest n of calibration images with floor(fpr * (n + 1)) >= 1; raises InputError as `allowed`."""
    return max(1, ceil(1 / _exact(fpr)) - 1)


def smallest_rate(n: int) -> Decimal:
    """Return the smallest false-alarm rate that n calibration images support: 1 / (n + 1), rounded up to 4 digits."""
    return Context(prec=4, rounding=ROUND_CEILING).divide(Decimal(1), Decimal(n + 1)).normalize()


def calibration_size(n: int, fpr: float | None) -> int:
    """Return how many of n normal images calibrate: 20 %, or as many as the rate needs, at most half; 0 for fpr=None.

    Raises InputError, which names the smallest rate that n images support, where half of them is not enough.
    """
    if fpr is None:
        return 0
    need = needed(fpr)
    if n < 2:
        raise InputError(
            f"{n} image was given: calibration and training need at least 2, and {_count(2 * need)} for fpr={fpr}"
        )
    if need > n // 2:
        raise InputError(
            f"fpr={fpr} needs {_count(need)} calibration images, at most half of all: {_count(2 * need)} images, and "
            f"{n} were given, whose smallest rate is fpr={smallest_rate(n // 2)} "
            f"(fpr=None gives scores without a decision)"
        )
    return max(n // 5, need)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of n calibration normals, sorted ascending (n,), and the decision that is made from them.

    fpr: promised false-alarm rate, strictly between 0 and 1; None gives scores and p-values without a decision.
    manual: a threshold set by hand, which takes the place of the rate's. Raises InputError for scores that are not
    finite or not (n,), for a rate out of range or too small for n, and where both a rate and a manual threshold are
    given.
    """

    scores: NDArray[np.float64]
    fpr: float | None = None
    manual: float | None = None

    def __post_init__(self) -> None:
        scores = np.sort(finite(self.scores, "calibration scores"))
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)
        if self.manual is not None and not np.isfinite(self.manual):
            raise InputError(f"the threshold is {self.manual}: it must be a finite number")
        if self.manual is not None and self.fpr is not None:
            raise InputError(f"both fpr={self.fpr} and the threshold {self.manual} were given: give one of them")
        if self.fpr is not None:
            self._require(self.fpr)

    def _require(self, fpr: float) -> None:
        if allowed(fpr, self.n) >= 1:
            return
        if self.n == 0:
            raise InputError(
                f"fpr={fpr} needs {_count(needed(fpr))} calibration images and none were kept: fit again with this "
                f"fpr, or give a threshold"
            )
        raise InputError(
            f"fpr={fpr} needs {_count(needed(fpr))} calibration images and there are {self.n}, whose smallest rate is "
            f"fpr={smallest_rate(self.n)}"
        )

    @property
    def n(self) -> int:
        """How many calibration images there are."""
        return len(self.scores)

    @cached_property
    def tolerance(self) -> float:
        """1e-5 of the scores' spread: their interquartile range, or their standard deviation where that is 0."""
        scale = float(np.abs(self.scores).max(initial=0.0))
        if scale == 0:
            return 0.0
        relative = self.scores / scale  # differences and squares of the largest floats would overflow
        spread = float(relative[3 * (self.n - 1) // 4] - relative[(self.n - 1) // 4]) or float(relative.std())
        return TOLERANCE * spread * scale

    @cached_property
    def threshold(self) -> float | None:
        """Images that score above this are labelled 1: the manual threshold, or the rate's; None without either.

        The rate's stands just above s_(k), by the tolerance or half the gap to the next strictly larger calibration
        score, whichever is less. Above the largest score it is s_(n) plus the tolerance, and at least the next float.
        """
        if self.fpr is None:
            return self.manual
        low = self.scores[self.n - allowed(self.fpr, self.n)]  # s_(k), counted from 1: k = n + 1 - m
        larger = int(np.searchsorted(self.scores, low, side="right"))
        if larger == self.n:
            with np.errstate(over="ignore"):
                above = max(low + self.tolerance, np.nextafter(low, np.inf))
            return float(min(above, np.finfo(np.float64).max))
        high = self.scores[larger]
        above = low + min(self.tolerance, high / 2 - low / 2)  # high - low could overflow
        return float(above if above < high else low)  # between neighbouring floats, rounding may leave the gap

    @property
    def false_alarm_rate(self) -> float | None:
        """Share of new normals to expect above the threshold: (1 + calibration scores above it) / (n + 1), or None.

        Under a rate it is the promise (floor(fpr * (n + 1)) / (n + 1) without ties); for a manual threshold, an
        estimate on the safe side: the same count without the one is unbiased.
        """
        if self.threshold is None or self.n == 0:
            return None
        return float((1 + (self.scores > self.threshold).sum()) / (self.n + 1))

    def at(self, fpr: float | None) -> Calibration:
        """Decide anew at another rate, from the same scores; raises InputError as the constructor."""
        return replace(self, fpr=fpr, manual=None)

    def with_threshold(self, threshold: float) -> Calibration:
        """Decide anew at a threshold set by hand; raises InputError unless it is finite."""
        return replace(self, fpr=None, manual=float(threshold))

    def predict(self, scores: ArrayLike) -> NDArray[np.int64]:
        """Label scores (N,): 1 above the threshold, else 0; raises InputError without a threshold."""
        if self.threshold is None:
            raise InputError("there is no threshold, because fpr=None: set an fpr or give a threshold to get labels")
        return (finite(scores, "scores") > self.threshold).astype(np.int64)

    def p_value(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Share of n + 1 normals that score at least as high: (1 + calibration scores >= s) / (n + 1), (N,) in (0, 1].

        Ties count against the image, so a label 1 at rate fpr implies a p-value of at most fpr. Raises InputError
        without calibration scores.
        """
        return (1 + self.n - self._below(scores)) / (self.n + 1)

    def normal_percentile(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Percentage of calibration scores strictly below each, (N,) in [0, 100]; raises InputError as `p_value`."""
        return 100 * self._below(scores) / self.n

    def _below(self, scores: ArrayLike) -> NDArray[np.int64]:
        values = finite(scores, "scores")
        if self.n == 0:
            raise InputError("no calibration images were kept, so there are no p-values: fit with an fpr, such as 0.05")
        return np.searchsorted(self.scores, values, side="left").astype(np.int64)


def finite(scores: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return scores (N,) as float64; raises InputError unless they are one-dimensional and finite."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"{what} have shape {values.shape}: they must be one number per image, (N,)")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(f"{what} hold {values[bad[0]]} at index {bad[0]} ({len(bad)} in all): they must be finite")
    return values


def _count(n: int) -> str:
    """A number in full, unless nobody could read it."""
    return f"{n}" if n < 10**12 else f"{Decimal(n):.1e}"


def _exact(fpr: float) -> Fraction:
    if not isinstance(fpr, Real) or not 0 < fpr < 1:
        raise InputError(f"fpr={fpr} is not a false-alarm rate: it must lie strictly between 0 and 1, such as 0.05")
    return Fraction(repr(float(fpr)))
