"""Sizes of HistoryAD's networks: five million parameters each, whatever the image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amiss.contracts import ImageSpec, InputError
from amiss.nets.dcgan import DCGenerator, PoolingCritic, signed

SPECS = [ImageSpec(channels, side, side) for channels in (1, 3) for side in (28, 32)]


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("spec", SPECS)
def test_five_million_parameters_each_within_five_per_cent(spec: ImageSpec) -> None:
    for net in (DCGenerator(spec, 64, 1.0), PoolingCritic(spec, 1.0)):
        assert abs(count(net) - 5e6) <= 0.05 * 5e6


def test_exact_parameters() -> None:
    grey, colour = ImageSpec(1, 28, 28), ImageSpec(3, 32, 32)
    assert [count(DCGenerator(s, 64, 1.0)) for s in (grey, colour)] == [4_770_193, 5_244_563]
    assert [count(PoolingCritic(s, 1.0)) for s in (grey, colour)] == [5_016_417, 5_018_721]
    assert [count(DCGenerator(grey, 64, 1 / 8)), count(PoolingCritic(grey, 1 / 8))] == [240_115, 78_701]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_shapes_and_ranges(spec: ImageSpec, n: int) -> None:
    torch.manual_seed(0)
    images = DCGenerator(spec, 8, 1 / 16).eval()(torch.randn(n, 8))
    assert images.shape == (n, spec.channels, spec.height, spec.width)
    assert images.abs().max().item() <= 1 if n else True
    assert PoolingCritic(spec, 1 / 16)(images).shape == (n,)


def test_the_critic_has_no_normalisation_and_sees_each_image_alone() -> None:
    critic = PoolingCritic(ImageSpec(1, 28, 28), 1 / 16).double()
    assert not any("Norm" in type(module).__name__ for module in critic.modules())
    x = torch.randn(6, 1, 28, 28, dtype=torch.float64)
    apart = torch.cat([critic(x[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(critic(x), apart, rtol=1e-12, atol=1e-13)
    assert apart.std() > 0


def test_every_pixel_reaches_the_critic() -> None:
    torch.manual_seed(0)
    for side in (28, 32):
        x = torch.randn(1, 1, side, side, requires_grad=True)
        (gradient,) = torch.autograd.grad(PoolingCritic(ImageSpec(1, side, side), 1 / 16)(x).sum(), x)
        assert (gradient != 0).all()


def test_rescaling_moves_two_values_and_no_rank() -> None:
    torch.manual_seed(0)
    critic = PoolingCritic(ImageSpec(1, 28, 28), 1 / 16).double()
    x = torch.randn(9, 1, 28, 28, dtype=torch.float64)
    with torch.no_grad():
        before = critic(x)
        low, high = before.min(), before.max()
        critic.rescale(low, high)
        after = critic(x)
    torch.testing.assert_close(after, 2 * (before - low) / (high - low) - 1, rtol=1e-9, atol=1e-12)
    assert torch.equal(after.argsort(), before.argsort())


def test_signed_is_the_range_of_the_generator() -> None:
    assert signed(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("spec", [ImageSpec(1, 64, 64), ImageSpec(1, 28, 32), ImageSpec(3, 27, 27)])
def test_other_sizes_are_refused_with_what_to_give(spec: ImageSpec) -> None:
    for make in (lambda: DCGenerator(spec, 8, 1.0), lambda: PoolingCritic(spec, 1.0)):
        with pytest.raises(InputError, match="--size 28 or --size 32"):
            make()
