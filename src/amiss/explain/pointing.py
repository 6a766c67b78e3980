"""The pointing game: does the maximum of a map lie within the defect?

J. Zhang, Z. Lin, J. Brandt, X. Shen, S. Sclaroff, "Top-down Neural Attention by Excitation Backprop", ECCV 2016,
https://arxiv.org/abs/1608.00507, Section 4.2, here without a margin around the object.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError


def pointed(maps: NDArray[np.floating], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of N maps (N, H, W), the share of the maximum that lies within the mask (N, H, W): 1 a hit, 0 a miss, (N,).

    A maximum that several pixels share, as those of one patch do, counts with the share of them within the mask, so
    that a constant map is as good as chance: the mask's share of the image.
    Raises InputError for shapes that differ or a map with values that are not finite.
    """
    if maps.shape != masks.shape or maps.ndim != 3:
        raise InputError(f"maps of shape {maps.shape} and masks of shape {masks.shape} must both be (N, H, W)")
    if not np.isfinite(maps).all():
        raise InputError("a map holds values that are not finite, so it points nowhere")
    top = maps == maps.max((1, 2), keepdims=True)
    return (top & masks).sum((1, 2)) / top.sum((1, 2))
