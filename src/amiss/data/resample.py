"""Depth and size of one image, the same for files and arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from amiss.data.images import TOP, Depth
from amiss.plain import InputError

SIZES = (28, 32, 64, 128, 256)
LARGEST = 10_000  # pixels a side: a square of it is the largest image that is read


def choose_size(shorter_sides: NDArray[np.integer], size: int | None) -> int:
    """Return `size`, or by default the largest of 28, 32, 64, 128, 256 not above the median shorter side, else 28.

    Raises:
        InputError: If `size` is not a whole number from 1 to 10,000.
    """
    if size is None:
        return max((s for s in SIZES if s <= np.median(shorter_sides)), default=SIZES[0])
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
        raise InputError(
            f"the size {size!r} is not a number of pixels; accepted is a whole number from 1 to {LARGEST:,}"
        )
    return size


def to_depth(x: NDArray[np.generic], depth: Depth) -> NDArray[np.generic]:
    """Scale values of any shape from one depth to another, so that full white stays full white; rounded to nearest."""
    if x.dtype == depth:
        return x
    if depth == "float32":
        top = TOP["uint8"] if x.dtype == np.uint8 else TOP["uint16"]
        return np.divide(x, np.float32(top), dtype=np.float32)
    if x.dtype == np.float32:
        return np.rint(np.multiply(x, TOP[depth], dtype=np.float64)).astype(depth)
    if depth == "uint16":
        return np.multiply(x, 257, dtype=np.uint16)
    return (np.add(x, 128, dtype=np.uint32) // 257).astype(np.uint8)


def resize(x: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """Resize an image (C, H, W) to (C, height, width) with LANCZOS, each channel by itself, in its own depth.

    uint8 is resized in 8 bits; uint16 and float32 in float32, then clipped to their range, uint16 rounded.
    """
    if x.shape[1:] == (height, width):
        return x
    if x.dtype == np.uint8 and len(x) == 3:  # the same numbers as one by one, in half the time
        return np.moveaxis(_lanczos(np.moveaxis(x, 0, 2), height, width), 2, 0)
    return np.stack([_resize_plane(plane, height, width) for plane in x])


def _resize_plane(plane: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    if plane.dtype == np.uint8:
        return _lanczos(plane, height, width)
    deep = _lanczos(plane.astype(np.float32), height, width)
    if plane.dtype == np.uint16:
        return np.rint(np.clip(deep, 0, TOP["uint16"])).astype(np.uint16)  # LANCZOS overshoots at edges
    return np.clip(deep, 0, TOP["float32"])


def _lanczos(x: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    image = Image.fromarray(np.ascontiguousarray(x))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
