"""Brings images of one data set to the colour of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import ImageSpec, InputError
from amiss.data.images import Images, Layout

LUMINANCE = np.array([19595, 38470, 7471], dtype=np.uint32)
"""0.299 red, 0.587 green and 0.114 blue (ITU-R BT.601) in 1/65536, as in Pillow; together 1."""


def square_side(spec: ImageSpec, what: str) -> int:
    """Return the side in pixels of a square image; raises InputError for any other shape."""
    if spec.height != spec.width:
        raise InputError(
            f"{what} has images of {spec.height} x {spec.width} pixels: give a size, so that both sets can be resampled"
        )
    return spec.height


def alike(images: Images, layout: Layout) -> Images:
    """Return images with the channels of a layout: grey is repeated, of colour the luminance is taken.

    Names are kept. Raises InputError for another height, width or depth, which the source has to see to, and for
    channel counts other than 1 and 3.
    """
    spec = images.spec
    if images.layout == layout:
        return images
    if (spec.height, spec.width) != (layout.spec.height, layout.spec.width) or images.layout.depth != layout.depth:
        raise InputError(f"{images!r} cannot stand beside images of {layout}: only the number of channels may differ")
    if {spec.channels, layout.spec.channels} != {1, 3}:
        raise InputError(f"{spec.channels} channels cannot become {layout.spec.channels}: only 1 and 3 are known")
    pixels = images.take(np.arange(len(images))).numpy()
    made = np.repeat(pixels, 3, axis=1) if spec.channels == 1 else _luminance(pixels)
    return Images(made, names=[images.name(i) for i in range(len(images))])


def _luminance(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Grey of colour (N, 3, H, W) as (N, 1, H, W), rounded to nearest in whole numbers."""
    if pixels.dtype == np.float32:
        weights = np.divide(LUMINANCE, 65536, dtype=np.float32).reshape(1, 3, 1, 1)
        return np.multiply(pixels, weights, dtype=np.float32).sum(axis=1, keepdims=True)
    red, green, blue = (pixels[:, c : c + 1].astype(np.uint32) * LUMINANCE[c] for c in range(3))
    return ((red + green + blue + 32768) >> 16).astype(pixels.dtype)
