"""Tail probabilities of scores among reference scores, smooth, and in logarithms: no score is too far out to compare.

The normal quantile is that of M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution",
Applied Statistics 37(3), 1988, https://doi.org/10.2307/2347330, continued asymptotically to any tail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Ratio = tuple[Sequence[float], Sequence[float]]
"""Coefficients of a quotient of polynomials, highest power first."""

# fmt: off
CENTRE: Ratio = (
    (2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987,
     13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665),
    (5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
     5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0),
)
"""Quantile over q = p - 1/2, by 0.425^2 - q^2, for |q| up to 0.425."""

NEAR: Ratio = (
    (0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684,
     3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835),
    (1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008,
     0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0),
)
"""Size of the quantile, by r - 1.6 with r = sqrt(-log p), for r up to 5."""

FAR: Ratio = (
    (2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124,
     0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103),
    (2.0442631033899397e-15, 1.421511758316446e-07, 1.8463183175100548e-05, 0.0007868691311456133,
     0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1.0),
)
"""Size of the quantile, by r - 5, for r from 5 to 27."""
# fmt: on

LIMIT = 27.0
"""The largest r of the algorithm; beyond it the tail's asymptotic series is exact to rounding."""

BROAD = 0.425
"""Distance of p from 1/2 up to which the central quotient holds."""


def bandwidth(r: Tensor) -> Tensor:
    """Width h () > 0 of the steps at reference scores (n,): Silverman's rule for logistic steps.

    h = 0.9 min(standard deviation, interquartile range / 1.34) n^(-1/5) sqrt(3) / pi; a logistic distribution of width
    h has the standard deviation h pi / sqrt(3). Where all references are alike, h is a millionth of their size.
    """
    deviation = r.std(correction=0)
    low, high = torch.quantile(r, r.new_tensor([0.25, 0.75]))
    robust = (high - low) / 1.34
    spread = torch.where(robust > 0, torch.minimum(deviation, robust), deviation)
    h = 0.9 * spread * len(r) ** -0.2 * math.sqrt(3) / math.pi
    return torch.maximum(h, spread_floor(r))


def spread_floor(r: Tensor) -> Tensor:
    """A width () > 0 below which scores (n,) count as alike: a millionth of the largest, and no less than 1e-30."""
    return (1e-6 * r.abs().amax()).clamp_min(1e-30)


def log_tails(s: Tensor, r: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log (1 - p) of scores s (B,) among references r (n,), each (B,) and below 0.

    p(s) = mean over i of logistic(g((r_i - s) / h)): a smooth form of the share of references that are larger. g is the
    identity where a score is above the reference, so that log p falls with slope 1 / h however far out a score lies.
    Below it, g(v) = 2 asinh(v / 2), with the same value, slope and curvature at 0: there 1 - p falls as h^2 / s^2,
    where an exponential would vanish in float32 a hundred h below the references, and its gradient with it.
    """
    v = (r - s[:, None]) / h
    u = torch.where(v > 0, 2 * torch.asinh(v / 2), v)
    log_p, log_q = (_log_mean(F.logsigmoid(w)) for w in (u, -u))
    return torch.where(log_p < log_q, log_p, _log_rest(log_q)), torch.where(log_q < log_p, log_q, _log_rest(log_p))


def _log_mean(logs: Tensor) -> Tensor:
    """Log of the mean (B,) of values whose logs (B, n) are given.

    Not logsumexp: far out its sum is lost in rounding beside the largest log, and its gradient is n times too large.
    """
    largest = logs.detach().amax(1)
    return (logs - largest[:, None]).exp().mean(1).log() + largest


def _log_rest(log_p: Tensor) -> Tensor:
    """log (1 - p) for p up to a half, to the last digit."""
    return torch.log1p(-torch.exp(log_p.clamp(max=-0.5)))


def normal_deviate(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The z (B,) that a standard normal variable exceeds with probability p, from log p and log (1 - p), (B,)."""
    q = (torch.exp(log_q) - torch.exp(log_p)) / 2  # 1/2 - p
    centre = q.clamp(-BROAD, BROAD)
    z = centre * _quotient(CENTRE, BROAD**2 - centre.square())
    t = -torch.minimum(log_p, log_q)
    r = t.clamp_min(-math.log(0.5 - BROAD)).sqrt()
    size = _quotient(NEAR, r.clamp(max=5.0) - 1.6)
    size = torch.where(r > 5, _quotient(FAR, r.clamp(5.0, LIMIT) - 5), size)
    size = torch.where(r > LIMIT, _asymptotic(t.clamp_min(LIMIT**2)), size)
    return torch.where(q.abs() > BROAD, torch.where(q > 0, size, -size), z)


def _quotient(ratio: Ratio, x: Tensor) -> Tensor:
    """Quotient of two polynomials in x, by Horner's rule."""
    values = []
    for coefficients in ratio:
        value = torch.full_like(x, coefficients[0])
        for coefficient in coefficients[1:]:
            value = value * x + coefficient
        values.append(value)
    return values[0] / values[1]


def _asymptotic(t: Tensor) -> Tensor:
    """The z > 0 with log P(Z > z) = -t for large t: z^2 = 2 t - log(2 pi z^2) + 2 log(1 - 1/z^2 + 3/z^4 - 15/z^6)."""
    square = 2 * t
    for _ in range(6):  # each divides the error by z^2 > 1400
        y = 1 / square
        square = 2 * t - torch.log(2 * math.pi * square) + 2 * torch.log1p(-y * (1 - y * (3 - 15 * y)))
    return square.sqrt()
