"""The convolutional autoencoder of GradCon (Kwon et al., ECCV 2020, Section 5.1), plain and variational."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError
from amiss.sharing import averaged, drawn

WIDTHS = (32, 32, 64, 64)
"""Filters of the four encoder layers; the decoder mirrors them."""

SMALLEST, LARGEST = 16, 256
DARKEST = 0.02
"""Lowest mean brightness at which images may begin; a darker beginning would be a saturated one."""

VARIATIONAL_WIDTH = 576
"""Widest code of the variational form: that of a 28x28 image, 64 * 3 * 3."""


def code_size(side: int) -> int:
    """Side of the code: four convolutions of kernel 4, stride 2, padding 2 each map s to s // 2 + 1 (28 to 3)."""
    for _ in WIDTHS:
        side = side // 2 + 1
    return side


def decoder_paddings(side: int) -> tuple[int, ...]:
    """Paddings (1 or 2) of the four transposed convolutions that lead from the code back to an even `side`.

    A layer of padding p maps h to 2 h + 2 - 2 p, so four of them reach 16 h less twice a four-digit binary number,
    whose digits are the paddings less one. At 28 this gives the authors' 2, 1, 2, 1.
    """
    excess = (16 * code_size(side) - side) // 2
    return tuple(1 + (excess >> digit & 1) for digit in (3, 2, 1, 0))


def check_spec(spec: ImageSpec) -> None:
    """Raise InputError unless both sides are even and between 16 and 256 pixels."""
    for side in (spec.height, spec.width):
        if not SMALLEST <= side <= LARGEST or side % 2:
            raise InputError(
                f"images of {spec.height}x{spec.width} pixels do not fit the convolutional autoencoder: "
                f"both sides must be even and from {SMALLEST} to {LARGEST}"
            )


def conv_encoder(channels: int) -> nn.Sequential:
    """Images (B, channels, H, W) to codes (B, 64, h, w) >= 0."""
    layers: list[nn.Module] = []
    for c_in, c_out in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(c_in, c_out, 4, stride=2, padding=2), nn.ReLU()]
    return nn.Sequential(*layers)


def conv_decoder(spec: ImageSpec) -> nn.Sequential:
    """Codes (B, 64, h, w) to images (B, C, H, W) in (0, 1)."""
    widths = (*WIDTHS[::-1], spec.channels)
    paddings = zip(decoder_paddings(spec.height), decoder_paddings(spec.width), strict=True)
    layers: list[nn.Module] = []
    for c_in, c_out, padding in zip(widths, widths[1:], paddings, strict=False):
        layers += [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=padding), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Sigmoid())


@torch.no_grad()
def begin_at(decoder: nn.Sequential, x: Tensor) -> None:
    """Let a decoder's images begin at the brightness of images (B, C, H, W), channel by channel, instead of mid-grey.

    The logit of the mean goes into the last layer's bias; docs/adr/0011-a-start-at-the-brightness-of-the-data.md.
    """
    last = [layer for layer in decoder if isinstance(layer, nn.ConvTranspose2d)][-1]
    assert last.bias is not None
    (brightness,) = averaged(x.mean((0, 2, 3)))
    last.bias.copy_(brightness.clamp(DARKEST, 1 - DARKEST).logit())


class ConvAutoencoder(nn.Module):
    """Encoder and decoder of four layers each: 230,721 parameters for one channel, 232,771 for three, at any size."""

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        check_spec(spec)
        self.encoder = conv_encoder(spec.channels)
        self.decoder = conv_decoder(spec)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) to the decoder's input (B, 64, h, w) and the latent loss (B,), here zero (Omega = 0)."""
        return self.encoder(x), x.new_zeros(x.shape[0])

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images (B, C, H, W)."""
        return self.decoder(self.encode(x)[0])


class ConvVAE(nn.Module):
    """The variational form: linear layers to mean and log variance and back, between the same convolutions."""

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        check_spec(spec)
        self.encoder = conv_encoder(spec.channels)
        self.decoder = conv_decoder(spec)
        self.shape = (WIDTHS[-1], code_size(spec.height), code_size(spec.width))
        flat = self.shape[0] * self.shape[1] * self.shape[2]
        width = min(flat, VARIATIONAL_WIDTH)
        self.mean, self.log_variance = nn.Linear(flat, width), nn.Linear(flat, width)
        self.expand = nn.Linear(width, flat)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) to the decoder's input (B, 64, h, w) and divergence (B,) from the prior, nats per value.

        The code is sampled while training and is its mean otherwise.
        """
        h = self.encoder(x).flatten(1)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean
        if self.training:
            z = mean + drawn(mean, Tensor.normal_) * (0.5 * log_variance).exp()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return self.expand(z).unflatten(1, self.shape), divergence / x.shape[1:].numel()

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct images (B, C, H, W)."""
        return self.decoder(self.encode(x)[0])
