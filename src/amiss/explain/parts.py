"""What all explanations share: the scorers inside a scorer, and micro-batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn

from amiss.engine.scoring import MICRO_BATCH

Ability = TypeVar("Ability")

VALUES, MOST = 1 << 24, 1024
"""Most pixel values, and most images, in one batch of an accelerator: 64 MiB of float32."""


def outermost(module: nn.Module, able: Callable[[nn.Module], TypeGuard[Ability]]) -> list[Ability]:
    """The scorer itself if it is able, else those inside it that are, in order."""
    if able(module):
        return [module]
    return [found for child in module.children() for found in outermost(child, able)]


def batch_size(x: Tensor) -> int:
    """Images (C, H, W) like those of x that one call of a scorer gets: bounded memory on any device."""
    if x.device.type == "cpu":
        return MICRO_BATCH
    return min(MOST, max(MICRO_BATCH, VALUES // max(1, x.shape[1:].numel())))


def batches(x: Tensor) -> tuple[Tensor, ...]:
    """Micro-batches of images (B, C, H, W); of no images, one that is empty."""
    return torch.split(x, batch_size(x))
