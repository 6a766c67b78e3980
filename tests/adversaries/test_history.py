"""The history of a generator: its density by quadrature, its average by hand, its images one state at a time."""

from __future__ import annotations

import copy
from math import exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from amiss.adversaries.history import Decay, History, WeightAverage, widened
from amiss.contracts import ImageSpec
from amiss.nets.dcgan import DCGenerator

DENSITIES = [Decay(1, 3, 5), Decay(0.1, 1, 3), Decay(1, 0.6, 5), Decay(0, 0, 2), Decay(1, 5, 10)]


def integral(density: Decay, a: float, b: float, n: int = 20_000) -> float:
    """Eq. 13 without its constant, by Simpson's rule."""
    a, b = max(a, density.alpha), min(b, density.end)
    if b <= a:
        return 0.0
    t = torch.linspace(a, b, n + 1, dtype=torch.float64)
    y = torch.exp(-density.beta * t)
    weights = torch.full((n + 1,), 2.0, dtype=torch.float64)
    weights[1::2], weights[0], weights[-1] = 4, 1, 1
    return ((y * weights).sum() * (b - a) / n / 3).item()


@pytest.mark.parametrize("density", DENSITIES)
def test_mass_is_the_integral_of_the_density(density: Decay) -> None:
    whole = integral(density, 0, density.end)
    shares = []
    for t in torch.linspace(0, density.end, 17).tolist():
        shares.append(density.mass(t))
        assert shares[-1] == pytest.approx(integral(density, 0, t) / whole, rel=1e-9, abs=1e-12)
    assert (shares[0], shares[-1]) == (0, 1)
    assert shares == sorted(shares)


@pytest.mark.parametrize("density", DENSITIES)
def test_weight_is_the_density_as_a_share_of_its_start(density: Decay) -> None:
    for t in (density.alpha, (density.alpha + density.end) / 2, density.end):
        expected = exp(-density.beta * t) / exp(-density.beta * density.alpha)
        assert density.weight(t) == pytest.approx(expected, rel=1e-12)
    assert density.weight(density.alpha - 1e-9) == density.weight(density.end + 1e-9) == 0
    assert Decay(900, 1, 1000).weight(901) == pytest.approx(exp(-1))  # exp(-901) is no float


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("keep", [1, 2, 7, 50])
def test_moments_cut_the_density_into_equal_masses(density: Decay, keep: int) -> None:
    moments = density.moments(keep)
    edges = [*(density.quantile(i / keep) for i in range(keep)), density.end]
    whole = integral(density, 0, density.end)
    for low, moment, high in zip(edges, moments, edges[1:], strict=False):
        assert integral(density, low, high) / whole == pytest.approx(1 / keep, rel=1e-8)
        assert integral(density, low, moment) / whole == pytest.approx(0.5 / keep, rel=1e-8)
    assert edges[0] == density.alpha
    assert moments == sorted(moments)


@settings(max_examples=50, deadline=None)
@given(alpha=st.floats(0, 5), span=st.floats(0.01, 20), beta=st.floats(0, 20), share=st.floats(0, 0.999))
def test_mass_and_quantile_are_inverse(alpha: float, span: float, beta: float, share: float) -> None:
    density = Decay(alpha, beta, alpha + span)
    assert density.mass(density.quantile(share)) == pytest.approx(share, rel=1e-6, abs=1e-9)


def test_online_average_is_the_weighted_mean_of_all_critics() -> None:
    torch.manual_seed(0)
    density = Decay(0.5, 2, 3)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    average = WeightAverage(net).double()
    assert all((p == 0).all() for p in average.net.parameters())
    seen, weights = [], []
    for save in range(31):
        with torch.no_grad():
            for p in net.parameters():
                p += torch.randn_like(p)
        average.add(net, density.weight(save / 10))
        seen.append(copy.deepcopy(net))
        weights.append(exp(-2 * save / 10) if save >= 5 else 0.0)
    for name, got in average.net.named_parameters():
        expected = sum(w * dict(s.named_parameters())[name] for w, s in zip(weights, seen, strict=True)) / sum(weights)
        torch.testing.assert_close(got, expected.detach(), rtol=1e-12, atol=1e-14)
        assert not torch.allclose(got, dict(net.named_parameters())[name])
        assert not got.requires_grad


def generator() -> DCGenerator:
    torch.manual_seed(0)
    return DCGenerator(ImageSpec(1, 28, 28), 5, 1 / 64).double()


def move(net: nn.Module) -> None:
    """Change parameters and running statistics, as training would."""
    net.train()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.1 * torch.randn_like(p)
        net(3 * torch.randn(8, 5, dtype=torch.float64))


def test_states_are_kept_when_their_moments_pass() -> None:
    g = generator()
    density = Decay(1, 1, 3)
    history = History(g, density, 4).double()
    assert len(history.states) == 0
    history.record(g, 0.99)
    assert len(history.states) == 0  # nothing before alpha
    history.record(g, density.moments(4)[1] + 1e-9)  # late: the first two moments share this state
    first = history.states.clone()
    assert len(first) == 2
    assert torch.equal(first[0], first[1])
    move(g)
    history.record(g, density.moments(4)[1] + 2e-9)
    assert len(history.states) == 2
    history.record(g, 3)
    history.record(g, 3)
    assert len(history.states) == 4
    assert torch.equal(history.states[:2], first)
    assert not torch.allclose(history.states[2], first[0])


@pytest.mark.parametrize("few", [1, 3, 50])
def test_images_are_those_of_the_kept_states_one_by_one(few: int) -> None:
    g = generator()
    history = History(g, Decay(0, 0, 5), 5).double()
    kept = []
    for t in history.moments:
        move(g)
        history.record(g, t)
        kept.append(copy.deepcopy(g).eval())
    move(g)
    z = torch.randn(11, 5, dtype=torch.float64)
    before = {name: value.clone() for name, value in g.state_dict().items()}
    torch.manual_seed(7)
    found = history.sample(g.eval(), z, few)
    torch.manual_seed(7)
    chosen = torch.randperm(5)[:few]
    expected = torch.cat([kept[i](part) for i, part in zip(chosen, z.tensor_split(len(chosen)), strict=True)])
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-13)
    assert len(set(chosen.tolist())) == min(few, 5)
    assert not torch.allclose(found, g(z))
    assert not found.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in g.state_dict().items())


def test_every_state_is_drawn_as_often() -> None:
    g = nn.Linear(1, 1, bias=False)
    history = History(g, Decay(0, 1, 1), 5)
    for i, t in enumerate(history.moments):
        nn.init.constant_(g.weight, i)
        history.record(g, t)
    torch.manual_seed(0)
    drawn = torch.cat([history.sample(g.eval(), torch.ones(8, 1), 3) for _ in range(500)]).flatten()
    counts = torch.bincount(drawn.long(), minlength=5) / len(drawn)
    assert (counts - 0.2).abs().max() < 0.03


def test_wide_codes_make_other_images_in_eval_mode_alone() -> None:
    g = generator()
    for _ in range(50):  # running statistics as after training
        g(torch.randn(64, 5, dtype=torch.float64))
    history = History(g, Decay(0, 0, 1), 1).double()
    history.record(g, 1)
    z = torch.randn(64, 5, dtype=torch.float64)
    narrow, wide = (history.sample(g.eval(), code, 1) for code in (z, 3 * z))
    assert (narrow - wide).abs().mean() > 1e-3
    g.train()
    torch.testing.assert_close(g(z), g(3 * z), rtol=0, atol=1e-3)  # batch statistics cancel the scale
    assert (narrow - wide).abs().mean() > 10 * (g(z) - g(3 * z)).abs().mean()
    with pytest.raises(ValueError, match="eval mode"):
        history.sample(g, z, 1)
    with pytest.raises(ValueError, match="no history"):
        History(g, Decay(0, 0, 1), 1).sample(g.eval(), z, 1)


@pytest.mark.parametrize("n", [0, 1, 5, 8])
def test_every_second_code_is_wide(n: int) -> None:
    z = torch.randn(n, 3)
    wide = widened(z, 3)
    assert torch.equal(wide[::2], z[::2])
    assert torch.equal(wide[1::2], 3 * z[1::2])
    assert torch.equal(widened(z, 1), z)
