"""Maps of images that are tiled, for a page: made one by one and kept small, whatever the size of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from amiss.contracts import Progress
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.report.collect import Whole

SIDE = 256
"""Longest side in pixels of a map that a page shows."""


def large_maps(
    detector: Detector, whole: Sequence[Whole], kind: str, progress: Progress = silent
) -> list[NDArray[np.float32]]:
    """Maps (h, w) of one kind, as they are shown: strengths, of the tiles' scores what exceeds the lowest of them."""
    maps = []
    for done, one in enumerate(whole, 1):
        maps.append(_small(detector.explain(one.pixels[None], [kind])[kind][0]))
        progress("explaining", done, len(whole), "")
    if kind != "tiles":
        return [np.abs(values) for values in maps]
    lowest = min(float(values.min()) for values in maps)
    return [values - np.float32(lowest) for values in maps]


def _small(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map (H, W) averaged down to at most 256 pixels a side."""
    scale = min(1.0, SIDE / max(values.shape))
    height, width = (max(1, round(scale * n)) for n in values.shape)
    return F.adaptive_avg_pool2d(torch.from_numpy(values)[None], (height, width))[0].numpy()
