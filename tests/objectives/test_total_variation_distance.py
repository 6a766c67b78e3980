"""The bounded difference against its parts, differences, and the optimum that the paper derives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amiss.objectives.total_variation_distance import bounded_difference, excess, least, optimum

LAM = 10.0


def states(k: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two distributions over k states, each without mass on one state of the other."""
    generator = torch.Generator().manual_seed(seed)
    data, history = torch.rand(2, k, generator=generator, dtype=torch.float64)
    data[0], history[-1] = 0, 0
    return data / data.sum(), history / history.sum()


def expected_loss(data: torch.Tensor, history: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Eq. 10 with exact expectations, a loop over states."""
    total = torch.zeros((), dtype=torch.float64)
    for p, q, v in zip(data, history, values, strict=True):
        beyond = max(v.item() - 1, -1 - v.item(), 0)
        total += (p - q) * v + LAM * (p + q) / 2 * beyond**2
    return total


def test_each_term_alone() -> None:
    inside, far = torch.tensor([0.25, -1.0]), torch.tensor([3.0, -2.0])
    assert bounded_difference(inside, torch.zeros(2), LAM).tolist() == [0.25, -1.0]  # low on data
    assert bounded_difference(torch.zeros(2), inside, LAM).tolist() == [-0.25, 1.0]  # high on the history
    assert bounded_difference(far, torch.zeros(2), 4.0).tolist() == [3 + 4 * 4 / 2, -2 + 4 * 1 / 2]
    assert bounded_difference(torch.zeros(2), far, 4.0).tolist() == [-3 + 4 * 4 / 2, 2 + 4 * 1 / 2]
    assert bounded_difference(far, far, 0.0).tolist() == [0.0, 0.0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-50, 50), max_size=3))
def test_excess_is_the_distance_to_the_interval(values: list[float]) -> None:
    v = torch.tensor(values, dtype=torch.float64)
    nearest = torch.tensor([min(max(x, -1.0), 1.0) for x in values], dtype=torch.float64)
    torch.testing.assert_close(excess(v), (v - nearest).abs(), rtol=1e-12, atol=1e-15)


def test_mean_over_samples_is_the_expectation() -> None:
    data, history = torch.tensor([0.5, 0.25, 0.25, 0]).double(), torch.tensor([0, 0.25, 0.25, 0.5]).double()
    values = torch.tensor([-1.5, -0.5, 1.25, 2.0]).double()
    drawn = values.repeat_interleave((8 * data).long()), values.repeat_interleave((8 * history).long())
    loss = bounded_difference(*drawn, LAM)
    assert loss.shape == (8,)
    torch.testing.assert_close(loss.mean(), expected_loss(data, history, values), rtol=1e-12, atol=0)
    assert loss.std() > 0


def test_no_value_does_better_than_the_optimum() -> None:
    data, history = states(12)
    best = optimum(data, history, LAM)
    torch.testing.assert_close(expected_loss(data, history, best), least(data, history, LAM), rtol=1e-12, atol=0)
    for i in range(len(best)):
        for other in torch.linspace(-1.6, 1.6, 65).tolist():
            moved = best.clone()
            moved[i] = other
            assert expected_loss(data, history, moved) >= least(data, history, LAM) - 1e-12
    assert best.abs().max() <= 1 + 1 / LAM + 1e-12
    assert best[0].item() == pytest.approx(1.1)
    assert best[-1].item() == pytest.approx(-1.1)


def test_least_loss_is_twice_the_distance_for_a_hard_bound() -> None:
    data, history = states(9, seed=3)
    subsets = [torch.tensor([(s >> i) & 1 for i in range(9)], dtype=torch.float64) for s in range(2**9)]
    distance = max(abs((subset * (data - history)).sum().item()) for subset in subsets)  # Eq. 5
    assert least(data, history, 1e12).item() == pytest.approx(-2 * distance, rel=1e-9)
    assert least(data, history, LAM) < -2 * distance


def test_training_on_exact_expectations_reaches_the_optimum() -> None:
    data, history = states(40, seed=1)
    torch.manual_seed(0)
    values = torch.nn.Parameter(torch.zeros(40, dtype=torch.float64))
    adam = torch.optim.Adam([values], lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 1e-3, 600)
    for _ in range(600):
        adam.zero_grad()
        beyond = bounded_difference(values, values, LAM) / 2  # the bound alone: its differences cancel
        loss = ((data - history) * values + (data + history) * beyond).sum()
        loss.backward()
        adam.step()
        schedule.step()
    mass = (data + history) / 2
    clear = (data - history).abs() > 0.05 * mass
    torch.testing.assert_close(values[clear].detach(), optimum(data, history, LAM)[clear], rtol=0, atol=1e-2)
    assert loss.item() == pytest.approx(least(data, history, LAM).item(), abs=1e-4)
    assert mass[values.detach().abs() <= 1 + 1 / LAM + 0.01].sum() >= 0.99
    assert clear.sum() > 30
