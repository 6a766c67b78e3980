"""What only some scorers can give besides a score; whoever wants it asks the scorer, and those inside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class Reconstructs(Protocol):
    """Compares every image with one that it takes for normal."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Normal counterparts (B, C, H, W) of images (B, C, H, W) in [0, 1]."""
        ...


@runtime_checkable
class Layered(Protocol):
    """Has terms of its score that belong to the layers of a network."""

    layer_weights: Mapping[str, float]
    """What the score multiplies each layer's term with, by the term's name, next to the code first; may be empty."""

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """Every part of the score by name, each (B,)."""
        ...


def reconstructs(module: nn.Module) -> TypeGuard[Reconstructs]:
    """Whether a scorer compares images with normal ones."""
    return isinstance(module, Reconstructs)


def has_layers(module: nn.Module) -> TypeGuard[Layered]:
    """Whether terms of layers enter a scorer's score."""
    return isinstance(module, Layered) and bool(module.layer_weights)
