"""What is worked out tile by tile, as one map of the whole image, in bounded memory: the mean where tiles overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amiss.data.images import Layout
from amiss.data.tiled import TiledImages
from amiss.engine.batches import batch
from amiss.engine.scoring import MICRO_BATCH
from amiss.transforms.tiles import corners, coverage, lay

Made = dict[str, Tensor]
"""Of tiles (B, C, side, side), by name: maps (B, ..., side, side)."""


def stitched(
    image: NDArray[np.generic],
    layout: Layout,
    device: torch.device,
    make: Callable[[Tensor], Made],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, NDArray[np.float32]]:
    """What `make` gives for the tiles of an image (C, H, W), stitched to (..., H, W), by name.

    tell: told after each batch how many tiles are done, and of how many.
    """
    images = TiledImages.cut(image[None], layout)
    tiles, shape = images.inputs, (image.shape[1], image.shape[2])
    places = corners(shape, images.tiling)
    total: dict[str, NDArray[np.float32]] = {}
    for start in range(0, len(tiles), MICRO_BATCH):
        at = np.arange(start, min(start + MICRO_BATCH, len(tiles)))
        for name, maps in make(batch(tiles, at, device)).items():
            values = maps.to(torch.float32).cpu().numpy()
            if name not in total:
                total[name] = np.zeros((*values.shape[1:-2], *shape), np.float32)
            lay(total[name], values, places[at])
        tell(len(at) + start, len(tiles))
    covered = coverage(shape, images.tiling)
    for values in total.values():
        values /= covered
    return total
