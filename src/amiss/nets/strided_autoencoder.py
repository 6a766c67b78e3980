"""The convolutional autoencoder of Bergmann et al., "Improving Unsupervised Defect Segmentation by Applying Structural
Similarity to Autoencoders", VISIGRAPP 2019, which ARAE takes for CIFAR-10 and medical images.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError

LAYERS = ((32, 4), (32, 4), (32, 3), (64, 4), (64, 3), (128, 4), (64, 3), (32, 3))
"""Channels and kernel of the encoder's layers but the last; kernel 4 halves the sides, rounded down; 3 keeps them."""

SMALLEST, LARGEST = 16, 256
SLOPE = 0.2


@dataclass(frozen=True)
class Strided:
    """Nine convolutions to a linear code of d values, and nine transposed ones back to a linear image."""

    d: int = 100
    """Values of the code."""
    width: float = 1.0
    """Multiplier of the published channels."""
    floor: int = 4
    """Fewest channels of a layer."""

    def __call__(self, spec: ImageSpec) -> StridedAutoencoder:
        """Make the net; raises InputError for sides outside 16 to 256, or sizes out of range."""
        if self.d < 1 or self.floor < 1 or not 0 < self.width <= 64:
            raise InputError(f"{self} cannot be built: d and floor must be at least 1, width above 0 and at most 64")
        return StridedAutoencoder(spec, self)


class StridedAutoencoder(nn.Module):
    """At 128x128 in one channel and d = 100: 1,048,549 parameters, and a last kernel of 8.

    The last kernel is as large as the map that reaches it, a sixteenth of each side: 2 at 32 pixels, 16 at 256.
    """

    def __init__(self, spec: ImageSpec, size: Strided) -> None:
        super().__init__()
        for side in (spec.height, spec.width):
            if not SMALLEST <= side <= LARGEST:
                raise InputError(
                    f"images of {spec.height}x{spec.width} pixels do not fit the strided autoencoder: both sides must "
                    f"be from {SMALLEST} to {LARGEST}"
                )
        maps = [(spec.height, spec.width)]
        for _, kernel in LAYERS:
            maps.append((maps[-1][0] // 2, maps[-1][1] // 2) if kernel == 4 else maps[-1])
        channels = [spec.channels, *(max(size.floor, round(c * size.width)) for c, _ in LAYERS)]
        down: list[nn.Module] = []
        up: list[nn.Module] = []  # from the image back to the code
        for i, (_, kernel) in enumerate(LAYERS):
            a, b, stride = channels[i], channels[i + 1], kernel - 2
            down += [nn.Conv2d(a, b, kernel, stride, padding=1), nn.LeakyReLU(SLOPE)]
            odd = (maps[i][0] % stride, maps[i][1] % stride)  # what halving loses
            up += [nn.ConvTranspose2d(b, a, kernel, stride, padding=1, output_padding=odd), nn.LeakyReLU(SLOPE)]
        down.append(nn.Conv2d(channels[-1], size.d, maps[-1]))
        up.append(nn.ConvTranspose2d(size.d, channels[-1], maps[-1]))
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up[::-1])

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images (B, C, H, W) by way of codes (B, d, 1, 1)."""
        return self.decoder(self.encoder(x))
