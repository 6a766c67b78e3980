"""The mirrored loss and the penalties of critics of pairs, against loops over images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from amiss.objectives.mirrored import EveryPixel, SecondImage, mirror_gaps, second, stacked


class Net(nn.Module):
    """A smooth critic of pairs that counts its calls."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(24, 1)).double()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layers(x).squeeze(1)


def images(n: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(3, 2, 5, 4, dtype=torch.float64) for _ in range(n)]


def test_the_gap_is_zero_for_a_perfect_reconstruction_and_only_then() -> None:
    net = Net(4)
    x, y = images(2)
    same, other = mirror_gaps(lambda a, b: net(stacked(a, b)), x, [x.clone(), y])
    assert torch.equal(same, torch.zeros_like(same))
    assert other.abs().min() > 0


@pytest.mark.parametrize(("view", "channels"), [(stacked, 4), (second, 2)])
def test_gaps_are_differences_of_values_of_pairs(view, channels: int) -> None:
    net = Net(channels)
    x, y, v = images(3)
    found = mirror_gaps(lambda a, b: net(view(a, b)), x, [y, v])
    assert net.calls == 1
    for gaps, other in zip(found, (y, v), strict=True):
        for i in range(3):
            pair, mirror = view(x[i : i + 1], other[i : i + 1]), view(x[i : i + 1], x[i : i + 1])
            torch.testing.assert_close(gaps[i], (net(mirror) - net(pair))[0], rtol=1e-9, atol=1e-15)
        assert gaps.std() > 0


def test_what_critics_see() -> None:
    x, y = images(2)
    assert torch.equal(stacked(x, y), torch.cat([x, y], 1))
    assert torch.equal(second(x, y), y)


@pytest.mark.parametrize("of_pixels", [False, True])
def test_penalties_of_pairs_by_hand(of_pixels: bool) -> None:
    net = Net(4)
    x, y = images(2)
    torch.manual_seed(0)
    part = EveryPixel() if of_pixels else SecondImage()
    found = part(lambda a, b: net(stacked(a, b)), x, y)
    torch.manual_seed(0)
    share = torch.rand(3, 1, 1, 1, dtype=torch.float64)
    for i in range(3):
        between = (1 - share[i]) * x[i] + share[i] * y[i]
        pair = torch.cat([x[i], between])[None].requires_grad_()
        (g,) = torch.autograd.grad(net(pair).sum(), pair)
        if of_pixels:  # both images, each pixel's four channels
            expected = (g[0].square().sum(0).sqrt() - 1).square().mean()
        else:  # the second image, all of its values
            expected = (g[0, 2:].square().sum().sqrt() - 1).square()
        torch.testing.assert_close(found[i], expected, rtol=1e-9, atol=0)
    assert found.std() > 0


def test_a_penalty_of_every_pixel_takes_a_critic_of_single_images() -> None:
    net = Net(2)
    x, y = images(2)
    found = EveryPixel()(lambda a, b: net(second(a, b)), x, y)
    assert found.shape == (3,)
    assert found.isfinite().all()
