"""How far figures of one sample of images can be trusted: exact intervals of shares, the bootstrap for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv  # type: ignore[import-untyped]

from amiss.contracts import InputError, Progress
from amiss.engine.progress import silent
from amiss.evaluation.metrics import Interval, checked


@dataclass(frozen=True)
class Share:
    """So many of so many, with the exact interval of the rate behind them."""

    part: int
    whole: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """part / whole, in [0, 1]."""
        return self.part / self.whole


def share(part: int, whole: int, *, level: float = 0.95) -> Share:
    """Return part / whole with the interval of C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.

    It holds the rate of independent draws with a probability of at least `level`, whatever the rate. Raises InputError
    unless 0 <= part <= whole, whole is at least 1 and the level lies in (0, 1).
    """
    if not 0 <= part <= whole or whole < 1 or not 0 < level < 1:
        raise InputError(f"{part} of {whole} at level {level} is no share: give 0 <= part <= whole, 0 < level < 1")
    tail = (1 - level) / 2
    low = float(betaincinv(part, whole - part + 1, tail)) if part else 0.0
    high = float(betaincinv(part + 1, whole - part, 1 - tail)) if part < whole else 1.0
    return Share(part, whole, low, high)


def bootstrap(
    measure: Callable[[NDArray[np.intp]], float],
    labels: ArrayLike,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 1000,
    progress: Progress = silent,
) -> Interval:
    """Percentile bootstrap interval of any figure of images with labels (N,), 0 normal and 1 anomalous.

    measure: from positions of images, (N,) with repetitions, to the figure. Normals and anomalies are drawn apart, so
    that both numbers stay; a figure that compares two scores of the same images is thereby paired. Raises InputError
    for labels of one class only, and for a level or a number of resamples out of range.
    """
    if not 0 < level < 1 or resamples < 1:
        raise InputError(f"level={level}, resamples={resamples}: the level must lie in (0, 1), resamples be at least 1")
    y = checked(np.zeros(np.shape(labels)), labels)[1]
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == label) for label in (0, 1)]
    values = np.empty(resamples)
    for i in range(resamples):
        values[i] = measure(np.concatenate([rng.choice(group, len(group)) for group in groups]))
        progress("resampling", i + 1, resamples, "")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, resamples)
