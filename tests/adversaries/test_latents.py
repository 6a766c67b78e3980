"""Codes between and beside those of normal images: weights, radii, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amiss.adversaries.latents import (
    Cube,
    DetachedSimplex,
    Scaled,
    Shell,
    Simplex,
    barycentric_weights,
    convex_weights,
)
from amiss.contracts import InputError


def codes(n: int = 200, d: int = 12) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(n, d, dtype=torch.float64) * torch.rand(n, 1, dtype=torch.float64) * 3


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 50), k=st.integers(2, 6), seed=st.integers(0, 2**31))
def test_weights_sum_to_one_and_stay_convex(n: int, k: int, seed: int) -> None:
    torch.manual_seed(seed)
    like = torch.zeros((), dtype=torch.float64)
    for weights in (convex_weights(n, k, like), barycentric_weights(n, like)):
        torch.testing.assert_close(weights.sum(1), torch.ones(n, dtype=torch.float64), rtol=1e-12, atol=0)
        assert bool((weights >= 0).all())
    assert bool((barycentric_weights(n, like)[:, :2] <= 0.5).all())


def test_no_corner_is_preferred_by_the_papers_weights_and_the_last_is_by_the_codes() -> None:
    torch.manual_seed(0)
    like = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(
        convex_weights(40_000, 3, like).mean(0), torch.full_like(like, 1 / 3).expand(3), atol=0.005, rtol=0
    )
    expected = torch.tensor([0.25, 0.25, 0.5], dtype=torch.float64)
    torch.testing.assert_close(barycentric_weights(40_000, like).mean(0), expected, atol=0.005, rtol=0)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_simplex_mixes_each_code_with_its_neighbours(k: int) -> None:
    z = codes(7, 4)
    torch.manual_seed(5)
    mixed, partners = Simplex(k)(z)
    torch.manual_seed(5)
    weights = convex_weights(7, k, z)
    for i in range(7):
        expected = sum(weights[i, j] * z[(i + j) % 7] for j in range(k))
        torch.testing.assert_close(mixed[i], expected, rtol=1e-12, atol=1e-14)
    assert partners.tolist() == [list(range(7))]
    assert not Simplex(k).detached


def test_the_codes_simplex_compares_each_image_with_three_mixes_that_it_is_in() -> None:
    z = torch.eye(9, dtype=torch.float64)  # so that a mixed code shows its weights
    mixed, partners = DetachedSimplex()(z)
    torch.testing.assert_close(mixed.sum(1), torch.ones(9, dtype=torch.float64))
    assert partners.shape == (3, 9)
    for index in partners:
        assert sorted(index.tolist()) == list(range(9))
        assert all(mixed[index[i], i] > 0 for i in range(9))
    assert partners[0].tolist() == list(range(9))
    assert DetachedSimplex().detached


def test_every_code_of_a_simplex_gets_a_gradient() -> None:
    z = codes(6, 4).requires_grad_()
    for part in (Simplex(), DetachedSimplex()):
        (gradient,) = torch.autograd.grad(part(z)[0].sum(), z)
        assert bool((gradient.abs().sum(1) > 0).all())


@pytest.mark.parametrize("delta", [-1.0, -0.5, -0.1, 0.3, 2.0])
@pytest.mark.parametrize("measured", [True, False])
def test_shell_radii(delta: float, measured: bool) -> None:
    z = codes(2000)
    made = Shell(delta, measured)(z)
    radius = z.norm(dim=1).mean().item() if measured else 12**0.5
    norms = made.norm(dim=1)
    low, high = sorted((radius, radius * (1 + delta)))
    assert norms.min() >= low - 1e-12
    assert norms.max() <= high + 1e-12
    assert norms.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * abs(high - low) + 1e-9)  # uniform
    assert norms.std().item() == pytest.approx((high - low) / 12**0.5, rel=0.05)
    assert made.mean(0).abs().max() < 0.1 * high  # no direction is preferred


def test_cube_lies_inside_the_sphere_of_normal_codes() -> None:
    z = codes(2000)
    radius = z.norm(dim=1).mean().item()
    made = Cube()(z)
    half = radius / 12**0.5
    assert 0.99 * half < made.abs().max() <= half
    assert made.norm(dim=1).max() <= radius
    assert made.mean(0).abs().max() < 0.1 * half
    assert Cube(2.0)(z).abs().max() > half


def test_scaled_codes_keep_their_direction() -> None:
    z = codes(500)
    for inward in (True, False):
        made = Scaled(inward)(z)
        ratio = made.norm(dim=1) / z.norm(dim=1)
        assert bool((ratio <= 0.5).all() if inward else (ratio >= 2).all())
        torch.testing.assert_close(torch.cosine_similarity(made, z), torch.ones(500, dtype=torch.float64))
        assert ratio.std() > 0
    assert Scaled(inward=False)(z).norm(dim=1).isfinite().all()


@pytest.mark.parametrize("make", [lambda: Shell(0.0), lambda: Shell(-1.5), lambda: Cube(0.0), lambda: Simplex(1)])
def test_parts_out_of_range_are_refused(make) -> None:
    with pytest.raises(InputError, match=r"was given .*=.*: it must be"):
        make()
