"""The fully connected autoencoders of ARAE (Salehi et al., 2020): of the paper, and of the released union attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError

WIDTHS = (512, 256, 128)
"""Units of the three encoder layers, the code last; the decoder mirrors them."""

LARGEST = 12_288
"""Most values of an image: 64x64 pixels in colour."""


@dataclass(frozen=True)
class SigmoidMLP:
    """The paper's: 512-256-128-256-512 units, a sigmoid after every layer, the code and the image too."""

    breadth: float = 1.0
    """Multiplier of the published numbers of units."""

    def __call__(self, spec: ImageSpec) -> MLPAutoencoder:
        """Make the net; raises InputError for images of more than 12,288 values or a breadth out of range."""
        return MLPAutoencoder(spec, self.breadth, hidden=nn.Sigmoid(), last=[nn.Sigmoid()])


@dataclass(frozen=True)
class ReluMLP:
    """The released union attack's: the same units, ReLU after every layer and the code, a linear image."""

    breadth: float = 1.0
    """Multiplier of the published numbers of units."""

    def __call__(self, spec: ImageSpec) -> MLPAutoencoder:
        """Make the net; raises InputError for images of more than 12,288 values or a breadth out of range."""
        return MLPAutoencoder(spec, self.breadth, hidden=nn.ReLU(), last=[])


class MLPAutoencoder(nn.Module):
    """Encoder and decoder of three layers each: 1,132,944 parameters at 784 values, 3,478,144 at 3072."""

    def __init__(self, spec: ImageSpec, breadth: float, hidden: nn.Module, last: Sequence[nn.Module]) -> None:
        super().__init__()
        if spec.pixels > LARGEST:
            raise InputError(
                f"images of {spec.height}x{spec.width} pixels and {spec.channels} channel(s) have {spec.pixels:,} "
                f"values, and a fully connected autoencoder takes at most {LARGEST:,}: choose the method arae_conv, or "
                f"a smaller --size"
            )
        if not 0 < breadth <= 64:
            raise InputError(f"the autoencoder was given breadth={breadth}: it must be above 0 and at most 64")
        sides = (spec.pixels, *(max(1, round(units * breadth)) for units in WIDTHS))
        self.encoder = nn.Sequential(nn.Flatten(), *stack(sides, hidden), hidden)
        shape = nn.Unflatten(1, (spec.channels, spec.height, spec.width))
        self.decoder = nn.Sequential(*stack(sides[::-1], hidden), *last, shape)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images (B, C, H, W)."""
        return self.decoder(self.encoder(x))


def stack(sides: Sequence[int], between: nn.Module) -> list[nn.Module]:
    """Linear layers from sides[0] to sides[-1] units, Glorot normal with zero bias, an activation between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sides):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, between]
    return layers[:-1]
