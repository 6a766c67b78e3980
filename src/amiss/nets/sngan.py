"""The residual generator and critic of SN-GAN (Miyato et al., ICLR 2018) at 32x32 pixels, and AMA's encoder."""

from __future__ import annotations

from math import sqrt
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from amiss.nets.small import scaled

SIDE = 32
"""Side of the images that the networks see, in pixels."""

ENCODER, GENERATOR, CRITIC = 64, 256, 128
"""Published channels: of the encoder's first layer, and of all layers of the generator and the critic."""

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def frame(x: Tensor) -> Tensor:
    """Bring images (B, C, 28 or 32, the same) in [0, 1] to (B, C, 32, 32) in [-1, 1], the border repeated."""
    nearest = (torch.arange(SIDE, device=x.device) - (SIDE - x.shape[-1]) // 2).clamp(0, x.shape[-1] - 1)
    if x.shape[-1] != SIDE:
        x = x.index_select(2, nearest).index_select(3, nearest)
    return (2 * x - 1).contiguous(memory_format=torch.channels_last)


def unframe(y: Tensor, side: int) -> Tensor:
    """Bring framed images (B, C, 32, 32) in [-1, 1] back to (B, C, side, side) in [0, 1]."""
    start = (SIDE - side) // 2
    return (y[:, :, start : start + side, start : start + side] + 1) / 2


def encoder(channels: int, width: float, floor: int, d: int) -> nn.Sequential:
    """Images (B, channels, 32, 32) to codes (B, d): four convolutions, 1,183,616 parameters as published."""
    base = scaled(ENCODER, width, floor)
    layers: list[nn.Module] = []
    for c_in, c_out in ((channels, base), (base, 2 * base), (2 * base, 4 * base)):
        convolution = nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(4 * base, d, 4, bias=False), nn.Flatten())


def _glorot(layer: Layer, gain: float = 1.0, *, spectral: bool = False) -> Layer:
    nn.init.xavier_uniform_(layer.weight, gain)
    if spectral:
        spectral_norm(layer)
    return layer


def _conv(c_in: int, c_out: int, *, spectral: bool = False) -> nn.Conv2d:
    """A 3x3 convolution of a residual branch."""
    return _glorot(nn.Conv2d(c_in, c_out, 3, padding=1), sqrt(2), spectral=spectral)


def _box(weight: Tensor) -> Tensor:
    """Kernels (..., 3, 3) convolved with a 2x2 box of ones: (..., 4, 4)."""
    up_left, up_right, down_left, down_right = (F.pad(weight, (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1))
    return up_left + up_right + down_left + down_right


def pooled(conv: nn.Conv2d, h: Tensor) -> Tensor:
    """A 3x3 convolution and average pooling by 2, as one convolution with 16 taps where there were 36."""
    return F.conv2d(h, _box(conv.weight) / 4, conv.bias, stride=2, padding=1)


def doubled(conv: nn.Conv2d, h: Tensor) -> Tensor:
    """Nearest-neighbour doubling and a 3x3 convolution, as one transposed convolution of 4 taps in place of 9."""
    return F.conv_transpose2d(h, _box(conv.weight.flip(2, 3)).transpose(0, 1), conv.bias, stride=2, padding=1)


class UpBlock(nn.Module):
    """Doubles the sides of (B, ch, h, w) features."""

    def __init__(self, ch: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(ch), _conv(ch, ch)
        self.norm2, self.conv2 = nn.BatchNorm2d(ch), _conv(ch, ch)
        self.shortcut = _glorot(nn.Conv2d(ch, ch, 1))

    def forward(self, h: Tensor) -> Tensor:
        """(B, ch, h, w) to (B, ch, 2 h, 2 w)."""
        r = doubled(self.conv1, self.norm1(h).relu())
        r = self.conv2(self.norm2(r).relu())
        return r + F.interpolate(self.shortcut(h), scale_factor=2, mode="nearest")  # 1x1: the same after doubling


class Generator(nn.Module):
    """Codes (B, d) to framed images (B, channels, 32, 32) in (-1, 1); 4,276,739 parameters as published."""

    def __init__(self, channels: int, width: float, floor: int, d: int) -> None:
        super().__init__()
        ch = scaled(GENERATOR, width, floor)
        self.expand = _glorot(nn.Linear(d, ch * 4 * 4))
        self.blocks = nn.Sequential(UpBlock(ch), UpBlock(ch), UpBlock(ch))
        self.norm, self.last = nn.BatchNorm2d(ch), _glorot(nn.Conv2d(ch, channels, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """Decode codes (B, d)."""
        h = self.expand(z).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        return self.last(self.norm(self.blocks(h)).relu()).tanh()


class FirstBlock(nn.Module):
    """Halves the sides of images (B, c_in, h, w), which meet no non-linearity before the first convolution."""

    def __init__(self, c_in: int, ch: int, spectral: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(c_in, ch, spectral=spectral), _conv(ch, ch, spectral=spectral)
        self.shortcut = _glorot(nn.Conv2d(c_in, ch, 1), spectral=spectral)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, h, w) to (B, ch, h / 2, w / 2)."""
        r = pooled(self.conv2, self.conv1(x).relu())
        return r + self.shortcut(F.avg_pool2d(x, 2))


class DownBlock(nn.Module):
    """Halves the sides of (B, ch, h, w) features."""

    def __init__(self, ch: int, spectral: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(ch, ch, spectral=spectral), _conv(ch, ch, spectral=spectral)
        self.shortcut = _glorot(nn.Conv2d(ch, ch, 1), spectral=spectral)

    def forward(self, h: Tensor) -> Tensor:
        """(B, ch, h, w) to (B, ch, h / 2, w / 2)."""
        r = pooled(self.conv2, self.conv1(h.relu()).relu())
        return r + self.shortcut(F.avg_pool2d(h, 2))  # 1x1: the same after pooling


class FlatBlock(nn.Module):
    """Keeps the sides of (B, ch, h, w) features."""

    def __init__(self, ch: int, spectral: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(ch, ch, spectral=spectral), _conv(ch, ch, spectral=spectral)

    def forward(self, h: Tensor) -> Tensor:
        """(B, ch, h, w) to (B, ch, h, w)."""
        return h + self.conv2(self.conv1(h.relu()).relu())


class Critic(nn.Module):
    """Stacked framed images (B, channels, 32, 32) to values (B,); 1,057,664 parameters as published, for 6 channels."""

    def __init__(self, channels: int, width: float, floor: int, *, spectral: bool = False) -> None:
        super().__init__()
        ch = scaled(CRITIC, width, floor)
        self.blocks = nn.Sequential(
            FirstBlock(channels, ch, spectral),
            DownBlock(ch, spectral),
            FlatBlock(ch, spectral),
            FlatBlock(ch, spectral),
        )
        self.last = _glorot(nn.Linear(ch, 1, bias=False), spectral=spectral)

    def features(self, x: Tensor) -> Tensor:
        """The penultimate layer, summed over places, (B, ch)."""
        return self.blocks(x).relu().sum((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Values (B,)."""
        return self.last(self.features(x)).squeeze(1)
