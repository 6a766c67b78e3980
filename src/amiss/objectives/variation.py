"""Total variation: how rough an image is."""

from __future__ import annotations

from torch import Tensor


def total_variation(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbours down plus that across, (B,), of images (B, C, H, W).

    A side of one pixel has no neighbours and adds 0.
    """
    down, across = x.diff(dim=2), x.diff(dim=3)
    total = x.new_zeros(x.shape[0])
    for d in (down, across):
        if d.shape[2] and d.shape[3]:
            total = total + d.abs().flatten(1).mean(1)
    return total
