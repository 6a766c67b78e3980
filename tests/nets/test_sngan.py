"""The networks of SN-GAN and AMA: published sizes, shortcuts in computing, and the frame around 28 pixels."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from amiss.contracts import ImageSpec, InputError
from amiss.nets.small import check_spec, scaled
from amiss.nets.sngan import Critic, Generator, doubled, encoder, frame, pooled, unframe


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_sizes() -> None:
    assert count(encoder(3, 1.0, 1, 128)) == 1_183_616
    assert count(Generator(3, 1.0, 1, 128)) == 4_276_739
    assert count(Critic(6, 1.0, 1)) == 1_057_664
    assert count(Critic(6, 1.0, 1, spectral=True)) == 1_057_664
    batch_norms = [m for m in Critic(6, 1.0, 1).modules() if isinstance(m, nn.BatchNorm2d)]
    assert not batch_norms


def test_channels_are_a_share_of_the_published_ones_and_never_below_the_floor() -> None:
    assert [scaled(c, 1 / 16, 1) for c in (64, 256, 128)] == [4, 16, 8]
    assert [scaled(c, 1 / 16, 16) for c in (64, 256, 128)] == [16, 16, 16]
    small = encoder(1, 1 / 16, 16, 64)
    assert [m.out_channels for m in small if isinstance(m, nn.Conv2d)] == [16, 32, 64, 64]


@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 3), channels=st.sampled_from([1, 3]), d=st.integers(1, 9), side=st.sampled_from([28, 32]))
def test_shapes(batch: int, channels: int, d: int, side: int) -> None:
    x = frame(torch.rand(batch, channels, side, side))
    z = encoder(channels, 1 / 64, 2, d)(x)
    y = Generator(channels, 1 / 64, 2, d)(z)
    critic = Critic(2 * channels, 1 / 64, 2)
    assert z.shape == (batch, d)
    assert y.shape == x.shape == (batch, channels, 32, 32)
    assert y.abs().max() <= 1
    assert critic.features(torch.cat([x, y], 1)).shape == (batch, 2)
    assert critic(torch.cat([x, y], 1)).shape == (batch,)


def conv_and_features() -> tuple[nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3, padding=1).double(), torch.randn(2, 3, 8, 6, dtype=torch.float64)


def test_pooled_is_convolution_then_pooling() -> None:
    conv, h = conv_and_features()
    torch.testing.assert_close(pooled(conv, h), F.avg_pool2d(conv(h), 2), rtol=1e-12, atol=1e-14)


def test_doubled_is_doubling_then_convolution() -> None:
    conv, h = conv_and_features()
    expected = conv(h.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(doubled(conv, h), expected, rtol=1e-12, atol=1e-14)


def test_features_are_sums_over_places_and_the_value_is_linear_in_them() -> None:
    torch.manual_seed(0)
    critic = Critic(2, 1 / 64, 4).double()
    x = torch.randn(3, 2, 32, 32, dtype=torch.float64)
    h = critic.blocks(x)
    assert h.shape == (3, 4, 8, 8)
    slow = torch.stack([sum(h[:, :, i, j].clamp_min(0) for i in range(8)) for j in range(8)]).sum(0)
    torch.testing.assert_close(critic.features(x), slow, rtol=1e-12, atol=0)
    torch.testing.assert_close(critic(x), slow @ critic.last.weight[0], rtol=1e-12, atol=1e-12)
    assert slow.std() > 0


def test_frame_repeats_the_border_and_comes_off_again() -> None:
    x = torch.rand(2, 1, 28, 28, dtype=torch.float64)
    framed = frame(x)
    torch.testing.assert_close(framed, F.pad(2 * x - 1, (2, 2, 2, 2), mode="replicate"))
    torch.testing.assert_close(unframe(framed, 28), x)
    torch.testing.assert_close(frame(frame(x)), 2 * framed - 1)
    assert frame(x[:0]).shape == (0, 1, 32, 32)
    assert framed.min() < 0 < framed.max()


@pytest.mark.parametrize("sides", [(64, 64), (28, 32), (16, 16)])
def test_other_sizes_are_refused(sides: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{sides[0]}x{sides[1]} pixels.*28x28 and 32x32.*--size 28"):
        check_spec(ImageSpec(1, *sides))
    for side in (28, 32):
        check_spec(ImageSpec(3, side, side))


def test_spectral_norm_bounds_every_layer_and_survives_copying_and_loading() -> None:
    torch.manual_seed(0)
    critic = Critic(2, 1 / 64, 4, spectral=True)
    x = torch.randn(4, 2, 32, 32)
    for _ in range(30):  # an iteration of the power method each
        critic(x)
    critic.eval()
    layers = [m for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 11
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=0.02)
    values = critic(x)
    other = Critic(2, 1 / 64, 4, spectral=True).eval()
    assert not torch.equal(other(x), values)
    other.load_state_dict(critic.state_dict(), strict=True)
    assert torch.equal(other(x), values)
    torch.testing.assert_close(copy.deepcopy(critic).double()(x.double()).float(), values, rtol=1e-4, atol=1e-4)
