"""Whether recent images are still like those that calibrate: an exact two-sample test of their scores.

N. V. Smirnov, "Estimate of deviation between empirical distribution functions in two independent samples", 1939;
G. Schröer, D. Trenkler, "Exact and randomization distributions of Kolmogorov-Smirnov tests two or three samples",
Computational Statistics & Data Analysis 20 (1995), for ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import float_info

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amiss.calibration.conformal import finite
from amiss.contracts import InputError

MOST = 4000
"""Of more scores on a side so many are drawn: a random part of exchangeable scores is exchangeable, and tests exactly,
where all of them would only take longer."""


@dataclass(frozen=True)
class Drift:
    """How far recent scores lie from the calibration scores, and how often chance alone puts them so far apart."""

    statistic: float
    """Largest difference of the two empirical distribution functions, in [0, 1]."""
    p_value: float
    """P(statistic at least as large) where nothing has changed, in (0, 1]; small = the images have changed."""
    n: int
    """Recent images that were given."""


def drift(calibration_scores: ArrayLike, recent_scores: ArrayLike, *, seed: int = 0) -> Drift:
    """Test whether recent scores (m,) of images that should be normal come from where the calibration scores (n,) did.

    Where all n + m images are exchangeable, p_value <= a has a probability of at most a, for any n, m and ties. Each
    call is one such test: of a hundred looks at unchanged images, one in the mean comes out at 0.01. seed: of the draw
    where a side has more than 4,000 scores. Raises InputError for scores that are not finite or not one-dimensional,
    and where a side has none.
    """
    rng = np.random.default_rng(seed)
    before, recent = (
        _some(scores, what, rng) for scores, what in ((calibration_scores, "calibration"), (recent_scores, "recent"))
    )
    # Conformal p-values of several images share their calibration set, so they depend on one another and lie on n + 1
    # values: a one-sample test against the uniform law rejects unchanged images too often. The distance is the same
    # as that of the two samples of scores, whose law over all orders of the n + m is known exactly, ties included.
    pooled = np.concatenate([before, recent])
    order = np.argsort(pooled, kind="stable")
    last = np.append(np.diff(pooled[order]) > 0, True)  # a step of the distribution functions ends here
    n, m = len(before), len(recent)
    old = np.cumsum(order < n)
    apart = np.abs(old * m - (np.arange(1, n + m + 1) - old) * n)  # times n * m, in whole numbers
    furthest = int(apart[last].max())
    return Drift(furthest / (n * m), _tail(n, m, furthest, last), np.asarray(recent_scores).size)


def _some(scores: ArrayLike, what: str, rng: np.random.Generator) -> NDArray[np.float64]:
    values = finite(scores, f"{what} scores")
    if not len(values):
        raise InputError(f"there are no {what} scores: a test of drift needs at least 1 on each side")
    return values if len(values) <= MOST else rng.choice(values, MOST, replace=False)


def _tail(n: int, m: int, furthest: int, last: NDArray[np.bool_]) -> float:
    """Share of all orders of n and m scores that are at least `furthest` / (n * m) apart where a step ends, (n + m,).

    Walks through the pooled scores with the probability of every number i of calibration scores among the first t; an
    order leaves the walk where it is too far apart, so that small probabilities are sums and keep their digits.
    """
    if furthest == 0:
        return 1.0
    i = np.arange(n + 1)
    inside = np.zeros(n + 1)
    inside[0], left = 1.0, 0.0
    for t in range(n + m):
        one = inside * (n - i) / (n + m - t)
        inside *= (m - t + i).clip(0) / (n + m - t)
        inside[1:] += one[:-1]
        if last[t]:
            far = np.abs(i * m - (t + 1 - i) * n) >= furthest
            left += float(inside[far].sum())
            inside[far] = 0.0
    return min(max(left, float_info.min), 1.0)  # what no float can hold is not 0
