"""From the depth in which images are kept to the unit range in which models see them."""

from __future__ import annotations

import torch
from torch import Tensor

_FULL_SCALE = {torch.uint8: 255.0, torch.uint16: 65535.0}


def to_unit(x: Tensor) -> Tensor:
    """Convert images (B, C, H, W) to float32 in [0, 1]: uint8 / 255, uint16 / 65535, floating point unchanged."""
    if x.is_floating_point():
        return x.to(torch.float32)
    return x.to(torch.float32) / _FULL_SCALE[x.dtype]
