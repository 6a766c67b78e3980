"""What one fixed calibration set delivers: the law of its false-alarm rate around the promised mean."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

from amiss.calibration.conformal import allowed
from amiss.contracts import InputError


def realised_interval(fpr: float, n: int, level: float = 0.9) -> tuple[float, float]:
    """Return the central interval of the order-statistic rule's false-alarm rate over calibration sets of n images.

    For continuous scores the rate follows Beta(m, n + 1 - m), m = floor(fpr * (n + 1)), whatever the scores'
    distribution (Vovk, "Conditional validity of inductive conformal predictors", ACML 2012). Raises InputError where
    m is 0 or the level is not in (0, 1).
    """
    m = allowed(fpr, n)
    if m == 0 or not 0 < level < 1:
        raise InputError(
            f"fpr={fpr} with {n} images at level {level}: fpr * (n + 1) must reach 1, the level lie in (0, 1)"
        )
    return _quantile((1 - level) / 2, m, n), _quantile((1 + level) / 2, m, n)


def _quantile(q: float, m: int, n: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        x = (low + high) / 2
        # P(Beta(m, n + 1 - m) <= x) = P(Binomial(n, x) >= m)
        low, high = (low, x) if 1 - sum(_binomial(i, n, x) for i in range(m)) >= q else (x, high)
    return (low + high) / 2


def _binomial(i: int, n: int, x: float) -> float:
    return exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(x) + (n - i) * log1p(-x))
