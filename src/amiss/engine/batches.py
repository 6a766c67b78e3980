"""What the engine asks of images, and a few of them as a network sees them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from amiss.transforms.unit import to_unit


class Batches(Protocol):
    """What the engine asks of images: how many, and any of them by number."""

    def __len__(self) -> int:
        """Number of images."""
        ...

    def take(self, index: np.ndarray) -> Tensor:
        """Images (B, C, H, W) in the depth in which they are kept."""
        ...


def batch(images: Batches, index: np.ndarray, device: torch.device) -> Tensor:
    """Images (B, C, H, W) in [0, 1] on the device."""
    return to_unit(images.take(index).to(device))
