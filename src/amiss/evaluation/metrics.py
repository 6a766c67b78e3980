"""How well scores (N,) separate normal (0) from anomalous (1) images; higher score = more anomalous.

Every function raises InputError for scores that are not finite, labels other than 0 and 1, unequal lengths, or one
class only.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amiss.calibration.conformal import finite
from amiss.contracts import InputError

Positive = Literal["anomaly", "normal"]
"""The class that counts as positive."""

CHUNK = 1 << 22
"""Resampled counts held at once by the bootstrap."""


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: P(anomaly scores above normal) + P(they tie) / 2, for either positive class."""
    normal, anomalous = _counts(*checked(scores, labels))
    below = np.cumsum(normal) - normal
    return float((anomalous * (below + normal / 2)).sum() / (anomalous.sum() * normal.sum()))


def aupr_in(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision with normal as the positive class, lowest scores first."""
    return _average_precision(_curve(scores, labels, "normal"))


def aupr_out(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision with anomaly as the positive class, highest scores first."""
    return _average_precision(_curve(scores, labels, "anomaly"))


def fpr_at_tpr(scores: ArrayLike, labels: ArrayLike, *, tpr: float, positive: Positive) -> float:
    """Smallest false-positive rate of any threshold with a true-positive rate of at least `tpr`, not interpolated."""
    if not 0 < tpr <= 1:
        raise InputError(f"tpr={tpr} is out of range: it must lie in (0, 1]")
    curve = _curve(scores, labels, positive)
    wanted = ceil(Fraction(repr(float(tpr))) * int(curve.true[-1]))
    return float(curve.false[np.searchsorted(curve.true, wanted)] / curve.false[-1])


@dataclass(frozen=True)
class Threshold:
    """A score threshold, and the rule that chose it in words; images above it are called anomalous."""

    value: float
    rule: str

    def __post_init__(self) -> None:
        if np.isnan(self.value):
            raise InputError(f"the threshold of the rule {self.rule!r} is not a number: it must be one")


@dataclass(frozen=True)
class F1:
    """An F1 score with what it depends on."""

    value: float
    positive: Positive
    threshold: Threshold


def f1(scores: ArrayLike, labels: ArrayLike, *, threshold: Threshold, positive: Positive) -> F1:
    """F1 = 2 TP / (2 TP + FP + FN) of `score > threshold` as anomaly, for the named positive class."""
    s, y = checked(scores, labels)
    called, actual = s > threshold.value, y == 1
    if _named(positive) == "normal":
        called, actual = ~called, ~actual
    hits = int((called & actual).sum())
    return F1(2 * hits / int(called.sum() + actual.sum()), positive, threshold)


def best_f1_threshold(scores: ArrayLike, labels: ArrayLike, *, positive: Positive) -> Threshold:
    """Threshold that maximises F1 on these labelled images: for a validation set, or an upper bound on a test set.

    It stands midway between two neighbouring scores; of equally good ones, it is the one that calls fewest images
    positive.
    """
    curve = _curve(scores, labels, positive)
    f = 2 * curve.true / (curve.true + curve.false + curve.true[-1])
    at = int(np.argmax(f))
    edge = curve.scores[at]
    if at + 1 < len(f):
        value = edge / 2 + curve.scores[at + 1] / 2
        low = min(edge, curve.scores[at + 1])
        value = value if low <= value < max(edge, curve.scores[at + 1]) else low
    else:
        value = np.nextafter(edge, -np.inf) if positive == "anomaly" else edge
    return Threshold(float(value), f"maximises F1, {positive} positive, on {len(np.asarray(labels))} labelled images")


def histogram_overlap(scores: ArrayLike, labels: ArrayLike, *, bins: int = 100) -> float:
    """Percentage of samples in the overlapped region of the two classes' histograms, in [0, 50] for balanced classes.

    Kwon et al., ECCV 2020, Figure 5, which does not state its bins. Here: `bins` bins of equal width from the lowest
    to the highest of all scores, the last one closed; in each bin the smaller of the two counts is overlapped; their
    sum is divided by the number of all samples.
    """
    if bins < 1:
        raise InputError(f"bins={bins}: a histogram needs at least 1")
    s, y = checked(scores, labels)
    edges = (float(s.min()), float(s.max()))
    normal, anomalous = (np.histogram(s[y == c], bins=bins, range=edges)[0] for c in (0, 1))
    return float(100 * np.minimum(normal, anomalous).sum() / len(s))


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval: its ends, its level and how many resamples made it."""

    low: float
    high: float
    level: float
    resamples: int


def auroc_interval(
    scores: ArrayLike, labels: ArrayLike, *, seed: int, level: float = 0.95, resamples: int = 1000
) -> Interval:
    """Percentile bootstrap interval of the AUROC; normals and anomalies are resampled apart, so both numbers stay."""
    if not 0 < level < 1 or resamples < 1:
        raise InputError(f"level={level}, resamples={resamples}: the level must lie in (0, 1), resamples be at least 1")
    s, y = checked(scores, labels)
    code = np.unique(s, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    size = max(1, CHUNK // len(s))
    values = [_resampled(code[y == 0], code[y == 1], min(size, resamples - i), rng) for i in range(0, resamples, size)]
    low, high = np.quantile(np.concatenate(values), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, resamples)


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scores and labels as arrays (N,); raises InputError as the module says."""
    s, y = finite(scores, "scores"), np.asarray(labels)
    if y.shape != s.shape:
        raise InputError(f"labels have shape {y.shape} and scores {s.shape}: they must be equal, one of each per image")
    wrong = np.flatnonzero(~np.isin(y, (0, 1)))
    if len(wrong):
        raise InputError(f"label {wrong[0]} is {y[wrong[0]]!r}: it must be 0 (normal) or 1 (anomalous)")
    anomalous = int((y == 1).sum())
    if anomalous in {0, len(y)}:
        raise InputError(
            f"{len(y) - anomalous} normal and {anomalous} anomalous images: metrics need at least 1 of each"
        )
    return s, y.astype(np.int64)


class _Curve(NamedTuple):
    scores: NDArray[np.float64]  # distinct, the most positive first
    true: NDArray[np.int64]  # positives at least as extreme
    false: NDArray[np.int64]  # negatives at least as extreme


def _curve(scores: ArrayLike, labels: ArrayLike, positive: Positive) -> _Curve:
    s, y = checked(scores, labels)
    sign = -1 if _named(positive) == "anomaly" else 1
    distinct, code = np.unique(sign * s, return_inverse=True)
    hit = y == (1 if positive == "anomaly" else 0)
    true, every = np.bincount(code, weights=hit), np.bincount(code)
    return _Curve(sign * distinct, np.cumsum(true).astype(np.int64), np.cumsum(every - true).astype(np.int64))


def _average_precision(curve: _Curve) -> float:
    steps = np.diff(curve.true, prepend=0) / curve.true[-1]
    return float((steps * curve.true / (curve.true + curve.false)).sum())


def _resampled(
    normal: NDArray[np.intp], anomalous: NDArray[np.intp], size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """AUROC of `size` resamples of both classes, given as ranks of distinct scores, from 0."""
    distinct = 1 + int(max(normal.max(), anomalous.max()))
    row = distinct * np.arange(size)[:, None]

    def counts(ranks: NDArray[np.intp]) -> NDArray[np.int64]:
        drawn = row + ranks[rng.integers(len(ranks), size=(size, len(ranks)))]
        return np.bincount(drawn.ravel(), minlength=size * distinct).reshape(size, distinct)

    n, a = counts(normal), counts(anomalous)
    return (a * (np.cumsum(n, axis=1) - n / 2)).sum(axis=1) / (len(normal) * len(anomalous))


def _counts(s: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Normals and anomalies at each distinct score, ascending."""
    distinct, code = np.unique(s, return_inverse=True)
    return np.bincount(code[y == 0], minlength=len(distinct)), np.bincount(code[y == 1], minlength=len(distinct))


def _named(positive: Positive) -> Positive:
    if positive not in ("anomaly", "normal"):
        raise InputError(f"positive={positive!r}: it must be 'anomaly' or 'normal'")
    return positive
