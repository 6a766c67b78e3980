"""Projected gradient ascent: the authors' loop written out, the ball, and what it must not touch."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from amiss.adversaries.noise import Clean, Noise
from amiss.adversaries.perturbation import L2, Linf, gradient
from amiss.adversaries.spatial import Grid
from amiss.adversaries.union import Union
from amiss.contracts import InputError


class Encoder(nn.Module):
    """A small smooth net."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 7), nn.Sigmoid(), nn.Linear(7, 3)).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def problem(shape: tuple[int, ...] = (4, 2, 3, 5)) -> tuple[Encoder, Tensor, Tensor]:
    """A net, images with many saturated values, and the net's codes of them."""
    torch.manual_seed(0)
    x = (2 * torch.rand(shape, dtype=torch.float64) - 0.5).clamp(0, 1)
    net = Encoder(math.prod(shape[1:]))
    return net, x, net(x).detach()


def shift(net: nn.Module, z: Tensor):
    return lambda v: (net(v) - z).square().sum(1)


def slow_gradient(net: nn.Module, image: Tensor, z: Tensor) -> Tensor:
    """Of one image, one value at a time, by central differences."""
    found = torch.zeros_like(image)
    for i in range(image.numel()):
        ends = []
        for way in (1e-6, -1e-6):
            moved = image.clone().flatten()
            moved[i] += way
            ends.append((net(moved.view(image.shape)[None])[0] - z).square().sum().item())
        found.view(-1)[i] = (ends[0] - ends[1]) / 2e-6
    return found


def test_gradient_is_that_of_differences_and_touches_no_weight() -> None:
    net, x, z = problem()
    with torch.no_grad():
        found = gradient(shift(net, z + 1), x)
        slow = torch.stack([slow_gradient(net, image, goal + 1) for image, goal in zip(x, z, strict=True)])
    torch.testing.assert_close(found, slow, rtol=1e-6, atol=1e-8)
    assert found.std() > 1e-3
    assert not found.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_linf_is_the_authors_loop() -> None:
    net, x, z = problem()
    attack = Linf(eps=0.3, steps=6)
    torch.manual_seed(3)
    found = attack(shift(net, z), x)
    torch.manual_seed(3)
    delta = torch.empty_like(x).uniform_(-0.3, 0.3)
    for _ in range(6):
        image = (x + delta).clamp(0, 1).requires_grad_()
        (net(image) - z).square().mean().backward()
        delta = torch.maximum(torch.minimum(delta + 2.5 * 0.3 / 6 * image.grad.sign(), x * 0 + 0.3), x * 0 - 0.3)
    torch.testing.assert_close(found, (x + delta).clamp(0, 1), rtol=1e-12, atol=0)
    assert (found - x).abs().std() > 0


def test_a_black_pixel_climbs_back_through_zero() -> None:
    """The perturbation is its own buffer: one that projects the image would move at once."""
    x = torch.zeros(1, 1, 1, 64, dtype=torch.float64)
    attack = Linf(eps=0.2, steps=1, step=0.05)
    torch.manual_seed(0)
    start = torch.empty_like(x).uniform_(-0.2, 0.2)
    torch.manual_seed(0)
    found = attack(lambda v: v.sum((1, 2, 3)), x)
    torch.testing.assert_close(found, (start + 0.05).clamp(0, 0.2), rtol=1e-12, atol=0)
    assert 0 < (found == 0).double().mean() < 1


def test_l2_is_normalised_ascent_in_the_ball() -> None:
    net, x, z = problem()
    attack = L2(eps=0.8, steps=5, step=0.3)
    torch.manual_seed(3)
    found = attack(shift(net, z), x)
    torch.manual_seed(3)
    radius = x.new_empty(4, 1, 1, 1).uniform_() ** (1 / 30)
    away = torch.randn_like(x)
    for b in range(4):
        delta = 0.8 * radius[b] * away[b] / away[b].norm()
        for _ in range(5):
            image = (x[b] + delta).clamp(0, 1).requires_grad_()
            (net(image[None])[0] - z[b]).square().sum().backward()
            delta = delta + 0.3 * image.grad / image.grad.norm()
            if delta.norm() > 0.8:
                delta = delta * 0.8 / delta.norm()
        torch.testing.assert_close(found[b], (x[b] + delta).clamp(0, 1), rtol=1e-9, atol=1e-12)
    assert (found - x).flatten(1).norm(dim=1).std() > 0


def test_the_random_start_of_l2_fills_the_ball() -> None:
    torch.manual_seed(0)
    x = torch.full((4000, 1, 1, 2), 0.5, dtype=torch.float64)
    found = L2(eps=0.4, steps=1, step=0.0)(lambda v: v.sum((1, 2, 3)), x)
    radius = (found - x).flatten(1).norm(dim=1) / 0.4
    assert radius.max() <= 1 + 1e-12
    for share in (0.3, 0.6, 0.9):  # in two dimensions the mass within r is r squared
        assert (radius < share).double().mean().item() == pytest.approx(share**2, abs=0.03)


@pytest.mark.parametrize("attack", [Linf(0.05, steps=1, step=0.004), L2(0.5, steps=1, step=0.02)])
def test_the_objective_rises_with_every_step(attack: Linf | L2) -> None:
    net, x, z = problem()
    objective = shift(net, z)
    reached = []
    for steps in range(1, 9):
        torch.manual_seed(5)
        hard = type(attack)(attack.eps, steps, attack.step)(objective, x)
        reached.append(objective(hard).mean().item())
    assert all(later > earlier for earlier, later in pairwise(reached))
    assert reached[-1] > 1.2 * reached[0]


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 3),
    channels=st.integers(1, 3),
    sides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    eps=st.floats(0, 0.5),
    double=st.booleans(),
    make=st.sampled_from([Linf, L2]),
)
def test_the_perturbation_never_leaves_the_ball(n, channels, sides, eps, double, make) -> None:
    dtype = torch.float64 if double else torch.float32
    x = torch.rand(n, channels, *sides).clamp(0.1, 0.9).sub(0.1).div(0.8).to(dtype)
    weights = torch.randn(x.shape[1:], dtype=dtype)
    seen = []

    def objective(v: Tensor) -> Tensor:
        seen.append(v.detach())
        return (v * weights).sum((1, 2, 3)).square()

    with torch.no_grad():
        found = make(eps, 4)(objective, x)
    assert found.shape == x.shape
    assert found.dtype == dtype
    for image in (*seen, found):
        change = (image - x).flatten(1)
        size = change.abs().amax(1) if make is Linf else change.norm(dim=1)
        assert (size <= eps * (1 + 1e-5) + 1e-6).all()
        assert ((image >= 0) & (image <= 1)).all()


def test_no_step_where_there_is_no_gradient() -> None:
    x = torch.full((2, 1, 2, 2), 0.5)
    for attack in (Linf(0.1), L2(0.1)):
        found = attack(lambda v: 0 * v.sum((1, 2, 3)), x)
        assert found.isfinite().all()


def test_an_attack_leaves_no_graph_and_no_gradients() -> None:
    net, x, z = problem()
    for attack in (Linf(), L2(), Union((Linf(), L2(), Grid(angles=3))), Noise(), Clean()):
        found = attack(shift(net, z), x)
        assert not found.requires_grad
        assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_noise_is_uniform_and_its_sum_is_clipped() -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.zeros(1, 1, 100, 100), torch.ones(1, 1, 100, 100), torch.full((1, 1, 100, 100), 0.5)])
    noisy = Noise(0.1)(lambda v: v.sum((1, 2, 3)), x)
    assert 0 < noisy[0].min() < 1e-3
    assert 0.0995 < noisy[0].max() <= 0.1
    assert noisy[0].mean().item() == pytest.approx(0.05, abs=1e-3)
    assert noisy[0].std().item() == pytest.approx(0.1 / math.sqrt(12), abs=1e-3)
    assert (noisy[1] == 1).all()
    assert noisy[2].min() >= 0.5
    assert Clean()(lambda v: v.sum((1, 2, 3)), x) is x


def test_a_union_joins_its_members_in_order() -> None:
    net, x, z = problem()
    torch.manual_seed(2)
    joined = Union((L2(0.5), Linf(0.1), Grid(angles=3)))(shift(net, z), x)
    torch.manual_seed(2)
    apart = [attack(shift(net, z), x) for attack in (L2(0.5), Linf(0.1), Grid(angles=3))]
    assert joined.shape == (12, 2, 3, 5)
    assert torch.equal(joined, torch.cat(apart))
    assert not torch.equal(apart[0], apart[1])


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (Linf, {"eps": 1.5}),
        (Linf, {"steps": 0}),
        (Linf, {"step": -0.1}),
        (L2, {"eps": float("inf")}),
        (L2, {"eps": float("nan")}),
        (L2, {"steps": 0}),
        (Grid, {"angles": 0}),
        (Grid, {"max_angle": 200.0}),
        (Grid, {"shifts": 0}),
        (Noise, {"high": 2.0}),
        (Union, {"members": ()}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(make, bad) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        make(**bad)
