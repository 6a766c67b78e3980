"""The gradient penalty against autograd by hand, one image at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from amiss.objectives.wasserstein import gradient_penalty, pixel_penalty


def critic(channels: int) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Tanh(), nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)).double()


def images(batch: int, channels: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    shape = (batch, channels, 5, 4)
    return torch.rand(shape, dtype=torch.float64), torch.rand(shape, dtype=torch.float64)


def by_hand(net: nn.Module, real: Tensor, fake: Tensor, share: Tensor, *, of_pixels: bool) -> Tensor:
    found = []
    for x, y, t in zip(real, fake, share, strict=True):
        v = ((1 - t) * x + t * y)[None].requires_grad_()
        (g,) = torch.autograd.grad(net(v).sum(), v)
        if of_pixels:
            norms = [g[0, :, i, j].square().sum().sqrt() for i in range(g.shape[2]) for j in range(g.shape[3])]
            found.append(sum((norm - 1) ** 2 for norm in norms) / len(norms))
        else:
            found.append((g.square().sum().sqrt() - 1) ** 2)
    return torch.stack(found)


@settings(max_examples=10, deadline=None)
@given(batch=st.integers(1, 4), channels=st.sampled_from([1, 3]), of_pixels=st.booleans(), seed=st.integers(0, 2**31))
def test_equals_autograd_one_image_at_a_time(batch: int, channels: int, of_pixels: bool, seed: int) -> None:
    real, fake = images(batch, channels)
    net = critic(channels)
    net(real)
    torch.manual_seed(seed)
    found = (pixel_penalty if of_pixels else gradient_penalty)(net, real, fake)
    torch.manual_seed(seed)
    share = torch.rand(batch, 1, 1, 1, dtype=torch.float64).reshape(batch)
    torch.testing.assert_close(found, by_hand(net, real, fake, share, of_pixels=of_pixels), rtol=1e-9, atol=0)
    assert found.shape == (batch,)


def test_a_linear_critic_has_its_slope_everywhere() -> None:
    real, fake = images(3, 2)
    weight = torch.randn(2, 5, 4, dtype=torch.float64)
    found = gradient_penalty(lambda v: (v * weight).sum((1, 2, 3)), real, fake)
    torch.testing.assert_close(found, ((weight.square().sum().sqrt() - 1) ** 2).expand(3), rtol=1e-12, atol=0)
    of_pixels = pixel_penalty(lambda v: (v * weight).sum((1, 2, 3)), real, fake)
    expected = (weight.square().sum(0).sqrt() - 1).square().mean()
    torch.testing.assert_close(of_pixels, expected.expand(3), rtol=1e-12, atol=0)
    unit = weight / weight.norm()
    assert gradient_penalty(lambda v: (v * unit).sum((1, 2, 3)), real, fake).max() < 1e-25


@pytest.mark.parametrize("penalty", [gradient_penalty, pixel_penalty])
def test_its_gradient_by_the_weights_is_that_of_differences(penalty) -> None:
    real, fake = images(3, 1)
    net = critic(1)
    net(real)
    weight = net[0].weight

    def value() -> Tensor:
        torch.manual_seed(0)
        return penalty(net, real, fake).mean()

    (gradient,) = torch.autograd.grad(value(), weight)
    direction = torch.randn_like(weight)
    weight.data += 1e-5 * direction
    up = value().detach()
    weight.data -= 2e-5 * direction
    slope = (up - value().detach()) / 2e-5
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-9)
    assert gradient.abs().max() > 0


def test_images_are_constants() -> None:
    real, fake = images(2, 1)
    fake = fake.requires_grad_()
    net = critic(1)
    net(real)
    penalty = gradient_penalty(net, real, fake).mean()
    (gradient,) = torch.autograd.grad(penalty, fake, allow_unused=True)
    assert gradient is None
