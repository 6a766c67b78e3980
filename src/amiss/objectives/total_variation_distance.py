"""The total variation distance between two distributions, as a loss with a soft bound.

P. Chatillon, C. Ballester, "History-based anomaly detector", 2020, Section 3.3 and Appendix. Signs are the paper's: a
function is low on data and high on the history.
"""

from __future__ import annotations

from torch import Tensor


def bounded_difference(data: Tensor, history: Tensor, lam: float) -> Tensor:
    """Loss (B,) of values (B,) on data and on as many images of the history; its mean is the paper's loss.  (Eq. 10)

    lam: weight of the bound; with lam to infinity the least mean becomes minus twice the total variation distance.
    """
    return data - history + lam * (excess(data).square() + excess(history).square()) / 2


def excess(values: Tensor) -> Tensor:
    """Distance of each value to [-1, 1], any shape.  (Eq. 9)"""
    return (values.abs() - 1).clamp_min(0)


def optimum(data: Tensor, history: Tensor, lam: float) -> Tensor:
    """Where the loss is least, the value at each of K points with probabilities data (K,) and history (K,).  (Eq. 11)

    Within +-(1 + 1 / lam), and 0 where both probabilities are equal.
    """
    difference = history - data
    return difference.sign() + difference / (lam * (history + data))


def least(data: Tensor, history: Tensor, lam: float) -> Tensor:
    """The least mean loss, a scalar, for K points with probabilities data (K,) and history (K,).  (Eq. 12)"""
    difference = history - data
    return -difference.abs().sum() - (difference.square() / (history + data)).sum() / (2 * lam)
