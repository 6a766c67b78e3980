"""Typicality: the Gaussian's exponent over any score, and the moments that it needs."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amiss.contracts import Scorer
from amiss.scores.typicality import Moments, Typicality


class Brightness(Scorer):
    """Twice the mean, plus a part with no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = {"mean": 2.0}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        return {"mean": x.flatten(1).mean(1), "top": x.flatten(1).amax(1)}

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.terms(x)["mean"]


def images(values: Tensor) -> Tensor:
    return values[:, None, None, None].expand(-1, 1, 2, 2)


def fitted(mean: float, std: float) -> Moments:
    moments = Moments()
    moments.add(torch.tensor([mean - std, mean + std], dtype=torch.float64))
    return moments


@settings(max_examples=30, deadline=None)
@given(scores=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), parts=st.integers(1, 5))
def test_moments_are_those_of_all_scores_however_they_come(scores: list[float], parts: int) -> None:
    values = torch.tensor(scores, dtype=torch.float64)
    moments = Moments()
    for part in values.chunk(parts):
        moments.add(part)
    assert moments.count == len(scores)
    torch.testing.assert_close(moments.mean, values.mean(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(moments.std, values.std(correction=0), rtol=1e-9, atol=1e-6)


def test_moments_of_scores_far_from_zero_do_not_cancel() -> None:
    moments = Moments()
    values = 1e8 + torch.tensor([0.0, 1.0, 2.0, 5.0], dtype=torch.float64)
    for part in values.split(1):
        moments.add(part)
    moments.add(values[:0])
    assert moments.std.item() == pytest.approx(math.sqrt(3.5), rel=1e-6)


def test_a_is_the_exponent_of_the_gaussian() -> None:
    x = images(torch.linspace(0, 1, 11, dtype=torch.float64))
    typical = Typicality(Brightness(), fitted(0.7, 0.3))
    density = torch.exp(-((typical.scorer(x) - 0.7) ** 2) / (2 * 0.3**2)) / (0.3 * math.sqrt(2 * math.pi))  # Eq. 6
    expected = -2 * torch.log(density * 0.3 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(typical(x), expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(typical(x).argsort(), density.argsort(descending=True))
    assert list(typical.terms(x)) == ["mean", "top", "A"]
    assert typical.weights == {"A": 1.0}
    assert typical(x).std() > 0


def test_scores_fifty_deviations_away_have_no_ties() -> None:
    x = images(torch.tensor([25.0, 25.01, 25.02, -25.03], dtype=torch.float32))
    found = Typicality(Brightness(), fitted(0.0, 1.0))(x)
    assert torch.exp(-found / 2).unique().numel() == 1  # the density has underflowed
    assert found.tolist() == sorted(found.tolist())
    assert found.unique().numel() == 4
    assert found[0].item() == pytest.approx(2500, rel=1e-6)


def test_a_may_stand_beside_the_score() -> None:
    x = images(torch.rand(5, dtype=torch.float64))
    typical = Typicality(Brightness(), fitted(0.5, 0.1), {"mean": 2.0})
    torch.testing.assert_close(typical(x), Brightness()(x))
    torch.testing.assert_close(typical.terms(x)["A"], ((Brightness()(x) - 0.5) / 0.1) ** 2)
    assert typical.weights == {"mean": 2.0}


def test_it_asks_what_it_wraps() -> None:
    inner = Brightness()
    inner.exportable = False
    assert not Typicality(inner, Moments()).exportable
    assert Typicality(inner, Moments()).differentiable
    inner.differentiable = False
    assert not Typicality(inner, Moments()).differentiable


def test_its_gradient_is_that_of_the_square() -> None:
    x = images(torch.tensor([0.2, 0.9], dtype=torch.float64)).clone().requires_grad_()
    typical = Typicality(Brightness(), fitted(0.7, 0.3))
    (gradient,) = torch.autograd.grad(typical(x).sum(), x)
    z = (Brightness()(x) - 0.7) / 0.3
    expected = (2 * z / 0.3 * 2 / 4)[:, None, None, None].expand_as(x)  # chain rule: A', z', score's weight, mean of 4
    torch.testing.assert_close(gradient, expected.detach(), rtol=1e-9, atol=0)


def test_equal_scores_give_a_finite_answer_for_themselves() -> None:
    moments = Moments()
    moments.add(torch.full((4,), 0.25))
    typical = Typicality(Brightness(), moments)
    assert typical(images(torch.full((2,), 0.125))).tolist() == [0.0, 0.0]


def test_moments_travel_in_the_state() -> None:
    typical = Typicality(Brightness(), fitted(0.7, 0.3))
    other = Typicality(Brightness(), Moments())
    assert copy.deepcopy(typical).moments.mean == typical.moments.mean
    other.load_state_dict(typical.state_dict(), strict=True)
    x = images(torch.rand(3))
    assert torch.equal(other(x), typical(x))
