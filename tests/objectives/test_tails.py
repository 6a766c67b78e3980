"""Tail probabilities and normal quantiles against oracles that take them one by one, and how far out they hold."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from amiss.objectives.tails import LIMIT, bandwidth, log_tails, normal_deviate, spread_floor


def references(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, dtype=dtype, generator=torch.Generator().manual_seed(n)).exp()


def slow_p(s: float, r: list[float], h: float) -> float:
    """The mean of the steps, one at a time."""
    total = 0.0
    for one in r:
        v = (one - s) / h
        total += 1 / (1 + math.exp(-(2 * math.asinh(v / 2) if v > 0 else v)))
    return total / len(r)


def test_tails_are_the_mean_of_the_steps() -> None:
    r, h = references(40), torch.tensor(0.2, dtype=torch.float64)
    s = torch.linspace(-3, 12, 101, dtype=torch.float64)
    log_p, log_q = log_tails(s, r, h)
    slow = [slow_p(value, r.tolist(), 0.2) for value in s.tolist()]
    torch.testing.assert_close(log_p.exp().tolist(), slow, rtol=1e-12, atol=0)
    torch.testing.assert_close(log_q.exp().tolist(), [1 - p for p in slow], rtol=1e-9, atol=1e-15)
    assert 0.99 < max(slow) < 1
    assert min(slow) < 1e-6


def test_a_smooth_tail_is_near_the_share_of_larger_references() -> None:
    r = references(2000)
    s = torch.quantile(r, torch.linspace(0.01, 0.99, 50, dtype=torch.float64))
    share = (r > s[:, None]).double().mean(1)
    assert (log_tails(s, r, bandwidth(r))[0].exp() - share).abs().max() < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_ties_and_no_zero_gradients_however_far_out(dtype: torch.dtype) -> None:
    r = references(50, dtype)
    h = bandwidth(r)
    far = torch.logspace(-1, 9, 60, dtype=dtype)
    s = torch.cat([-far.flip(0), r.median()[None], r.max() + far]).requires_grad_()
    log_p, log_q = log_tails(s, r, h)
    for value, sign in ((log_p, -1), (normal_deviate(log_p, log_q), 1)):
        (slope,) = torch.autograd.grad(value.sum(), s, retain_graph=True)
        assert (sign * value.diff() > 0).all()
        assert (sign * slope > 0).all()
        assert value.isfinite().all()
        assert slope.isfinite().all()
    above = s > r.max() + 100 * h
    (slope,) = torch.autograd.grad(log_p.sum(), s)
    torch.testing.assert_close(slope[above], (-1 / h).expand(int(above.sum())), rtol=1e-5, atol=0)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 30),
    a=st.floats(-50, 50),
    b=st.floats(-50, 50),
    h=st.floats(0.01, 10),
    shift=st.floats(-5, 5),
    scale=st.floats(0.1, 10),
)
def test_tails_fall_in_the_score_and_ignore_its_units(
    n: int, a: float, b: float, h: float, shift: float, scale: float
) -> None:
    r, s = references(n), torch.tensor([min(a, b), max(a, b)], dtype=torch.float64)
    width = torch.tensor(h, dtype=torch.float64)
    log_p, log_q = log_tails(s, r, width)
    assert log_p[0] >= log_p[1]
    assert log_q[0] <= log_q[1]
    torch.testing.assert_close(log_p.exp() + log_q.exp(), torch.ones(2, dtype=torch.float64), rtol=1e-12, atol=0)
    again = log_tails(scale * s + shift, scale * r + shift, scale * width)
    torch.testing.assert_close(again[0], log_p, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_batches_of_any_size(n: int) -> None:
    r = references(4)
    assert [t.shape for t in log_tails(torch.zeros(n, dtype=torch.float64), r, bandwidth(r))] == [(n,), (n,)]


def test_slopes_agree_with_differences() -> None:
    r, h = references(5), torch.tensor(0.3, dtype=torch.float64)
    s = torch.linspace(-4, 9, 14, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: log_tails(v, r, h), s)
    assert torch.autograd.gradcheck(lambda v: normal_deviate(*log_tails(v, r, h)), s)


def test_normal_deviate_is_the_normal_quantile() -> None:
    z = torch.linspace(-36, 36, 2001, dtype=torch.float64)
    log_p, log_q = (torch.from_numpy(special.log_ndtr(sign * z.numpy())) for sign in (-1, 1))
    torch.testing.assert_close(normal_deviate(log_p, log_q), z, rtol=1e-13, atol=1e-14)


def test_normal_deviate_goes_on_where_the_algorithm_ends() -> None:
    t = torch.logspace(math.log10(LIMIT**2) - 0.01, 12, 200, dtype=torch.float64)
    z = normal_deviate(-t, torch.full_like(t, -0.0))
    torch.testing.assert_close(z, torch.from_numpy(-special.ndtri_exp(-t.numpy())), rtol=1e-11, atol=0)
    torch.testing.assert_close(normal_deviate(torch.full_like(t, -0.0), -t), -z)


def test_bandwidth_is_silvermans_for_a_logistic_step() -> None:
    r = references(100)
    iqr = torch.quantile(r, 0.75) - torch.quantile(r, 0.25)
    spread = min(r.std(correction=0).item(), iqr.item() / 1.34)
    step = stats.logistic(scale=bandwidth(r).item()).std()
    assert step == pytest.approx(0.9 * spread * 100**-0.2, rel=1e-12)
    assert iqr / 1.34 < r.std(correction=0)


def test_bandwidth_of_references_that_are_partly_or_wholly_alike() -> None:
    half = torch.tensor([1.0] * 9 + [3.0], dtype=torch.float64)
    assert bandwidth(half) == pytest.approx(0.9 * 0.6 * 10**-0.2 * math.sqrt(3) / math.pi, rel=1e-12)
    assert bandwidth(torch.full((5,), -7.0)) == pytest.approx(7e-6)
    assert spread_floor(torch.zeros(3)) > 0
