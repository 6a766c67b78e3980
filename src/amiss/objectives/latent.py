"""What ARAE (Salehi et al., 2020) measures and what its adversary raises: squared errors of codes or of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amiss.nets.mlp_autoencoder import MLPAutoencoder
from amiss.nets.strided_autoencoder import StridedAutoencoder

Autoencoder = MLPAutoencoder | StridedAutoencoder
"""Nets with an encoder, a decoder, and nothing in between."""


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Mean over values of (a - b)^2, (B,), of tensors (B, ...)."""
    return (a - b).square().flatten(1).mean(1)


def sum_square(a: Tensor, b: Tensor) -> Tensor:
    """Sum over values of (a - b)^2, (B,), of tensors (B, ...): the squared Euclidean norm."""
    return (a - b).square().flatten(1).sum(1)


@dataclass(frozen=True)
class LatentShift:
    """ARAE: the adversary moves the code away from the clean image's.  (Eqs. 1 and 2)"""

    def net(self, ae: Autoencoder) -> nn.Module:
        """The part of an autoencoder that is attacked."""
        return ae.encoder

    def objective(self, net: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Squared shift (B,) of the codes of images (B, C, H, W) from those of x, which are worked out once."""
        with torch.no_grad():
            z = net(x)
        return lambda v: mean_square(net(v), z)


@dataclass(frozen=True)
class ReconstructionError:
    """ARAE-R: the adversary spoils the reconstruction of the clean image.  (Section "Ablation")"""

    def net(self, ae: Autoencoder) -> nn.Module:
        """The part of an autoencoder that is attacked."""
        return ae

    def objective(self, net: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Squared error (B,) of reconstructions of images (B, C, H, W) against the clean images x."""
        return lambda v: mean_square(net(v), x)
