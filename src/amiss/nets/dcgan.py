"""The generator and the pooling critic of HistoryAD (Chatillon and Ballester, 2020, Section 4.1).

The paper gives the kinds of layers and about five million parameters each, no more; the channels below meet that at
28 and at 32 pixels, in grey and in colour, within 5 %.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec
from amiss.nets.small import check_spec, scaled

SLOPE = 0.2
"""Slope of the leaky ReLU below zero."""

GENERATOR = (480, 424)
"""Channels at a quarter and at half of the image's side, at width 1."""

CRITIC = (128, 256, 512)
"""Channels of the critic's convolutions at width 1."""

HIDDEN, GRID = 432, 4
"""Units between the critic's two linear layers at width 1; side of the grid that the first of them sees."""

FLOOR = 16
"""Fewest channels of a layer, at any width."""


def signed(x: Tensor) -> Tensor:
    """Images in [0, 1] to the generator's range [-1, 1], any shape."""
    return 2 * x - 1


class DCGenerator(nn.Module):
    """Linear layer, then two transposed convolutions, with batch normalisation and leaky ReLU between them.

    No bias precedes a normalisation. While training, the statistics of the batch therefore cancel the scale of the
    latent codes; only in eval mode does a code of another scale make another image.
    """

    def __init__(self, spec: ImageSpec, d: int, width: float) -> None:
        super().__init__()
        check_spec(spec)
        first, second = (scaled(c, width, FLOOR) for c in GENERATOR)
        side = spec.height // 4
        self.layers = nn.Sequential(
            nn.Linear(d, first * side * side, bias=False),
            nn.Unflatten(1, (first, side, side)),
            nn.BatchNorm2d(first),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(first, second, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(second),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(second, spec.channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latent codes (B, d) to images (B, C, H, W) in [-1, 1]."""
        return self.layers(z)


class PoolingCritic(nn.Module):
    """Three convolutions, each with average pooling, then two linear layers; no normalisation.

    Without it each image has a gradient of its own, as the gradient penalty needs, and an average of weights is a
    critic too. The third pooling pads sides of 7 to a grid of 4, so that 28 and 32 pixels need the same weights.
    """

    def __init__(self, spec: ImageSpec, width: float) -> None:
        super().__init__()
        check_spec(spec)
        channels = (spec.channels, *(scaled(c, width, FLOOR) for c in CRITIC))
        layers: list[nn.Module] = []
        side = spec.height
        for c_in, c_out in pairwise(channels):
            layers += [
                nn.Conv2d(c_in, c_out, 3, padding=1),
                nn.LeakyReLU(SLOPE),
                nn.AvgPool2d(2, padding=side % 2, count_include_pad=False),
            ]
            side = (side + 1) // 2
        hidden = scaled(HIDDEN, width, FLOOR)
        self.features = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels[-1] * GRID * GRID, hidden), nn.LeakyReLU(SLOPE)
        )
        self.last = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] to values (B,), lower for what is real."""
        return self.last(self.features(x)).squeeze(1)

    @torch.no_grad()
    def rescale(self, low: Tensor, high: Tensor) -> None:
        """Map the values linearly so that `low` becomes -1 and `high` becomes 1, both scalars that differ."""
        factor = 2 / (high - low)
        self.last.weight *= factor
        self.last.bias.sub_(low).mul_(factor).sub_(1)
