"""The strided convolutional autoencoder: the published size, and every side from 16 to 256 comes back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from amiss.contracts import ImageSpec, InputError
from amiss.nets.strided_autoencoder import Strided

SMALL = Strided(d=3, width=1 / 16, floor=2)


def test_parameters_at_128_pixels_are_as_published() -> None:
    assert sum(p.numel() for p in Strided()(ImageSpec(1, 128, 128)).parameters()) == 1_048_549


def test_layers_at_128_are_bergmanns() -> None:
    ae = Strided()(ImageSpec(1, 128, 128))
    convs = [layer for layer in ae.encoder if isinstance(layer, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]) for c in convs] == [
        (32, 4, 2, 1),
        (32, 4, 2, 1),
        (32, 3, 1, 1),
        (64, 4, 2, 1),
        (64, 3, 1, 1),
        (128, 4, 2, 1),
        (64, 3, 1, 1),
        (32, 3, 1, 1),
        (100, 8, 1, 0),
    ]
    back = [layer for layer in ae.decoder if isinstance(layer, nn.ConvTranspose2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size) for c in back] == [
        (c.out_channels, c.in_channels, c.kernel_size) for c in convs[::-1]
    ]
    assert all(layer.output_padding == (0, 0) for layer in back)
    for half in (ae.encoder, ae.decoder):  # a linear code and a linear image
        assert [type(layer).__name__ for layer in half[1::2]] == ["LeakyReLU"] * 8
        assert all(layer.negative_slope == 0.2 for layer in half[1::2])
        assert len(half) == 17


@pytest.mark.parametrize(("side", "kernel"), [(32, 2), (128, 8), (256, 16), (28, 1), (16, 1)])
def test_the_last_kernel_is_the_last_map(side: int, kernel: int) -> None:
    ae = SMALL(ImageSpec(1, side, side))
    assert ae.encoder[-1].kernel_size == ae.decoder[0].kernel_size == (kernel, kernel)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(16, 80), width=st.integers(16, 80), channels=st.sampled_from([1, 3]))
def test_every_side_comes_back(height: int, width: int, channels: int) -> None:
    ae = SMALL(ImageSpec(channels, height, width))
    x = torch.rand(2, channels, height, width)
    assert ae.encoder(x).shape == (2, 3, 1, 1)
    assert ae(x).shape == x.shape
    assert ae(x[:0]).shape == (0, *x.shape[1:])


@pytest.mark.parametrize(("height", "width"), [(255, 256), (16, 256), (241, 17)])
def test_long_sides_come_back(height: int, width: int) -> None:
    x = torch.rand(1, 1, height, width)
    assert SMALL(ImageSpec(1, height, width))(x).shape == x.shape


@pytest.mark.parametrize(("height", "width"), [(15, 28), (28, 257)])
def test_other_sides_are_refused_by_name(height: int, width: int) -> None:
    with pytest.raises(InputError, match=rf"{height}x{width} .* from 16 to 256"):
        Strided()(ImageSpec(1, height, width))


@pytest.mark.parametrize("bad", [{"d": 0}, {"floor": 0}, {"width": 0.0}, {"width": float("nan")}])
def test_sizes_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        Strided(**bad)(ImageSpec(1, 28, 28))
