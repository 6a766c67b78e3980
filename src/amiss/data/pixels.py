"""Pixels of whole data sets in memory: decoded from a tree of files, or resized after they were read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import ImageSpec, InputError
from amiss.data.ahead import map_ahead
from amiss.data.decode import decode_opened
from amiss.data.images import Layout
from amiss.data.opening import opened
from amiss.data.resample import choose_size, resize
from amiss.data.tree import Tree

MOST = 4 << 30
"""Bytes of pixels that are read into memory at once."""


def read_pixels(tree: Tree, names: Sequence[str], channels: int, size: int | None) -> NDArray[np.uint8]:
    """Decode files, at least one, as (N, channels, H, W) in 0..255, `size` pixels high and wide (LANCZOS) if given.

    Raises InputError for a file that cannot be decoded, for a size that is none, for images of several sizes where no
    size is given, and for more pixels than fit in 4 GB; the file or the value is named.
    """
    spec = _spec(tree, names[0], channels) if size is None else ImageSpec(channels, *(2 * (checked_size(size),)))
    needed = len(names) * spec.pixels
    if needed > MOST:
        raise InputError(
            f"{len(names):,} images of {spec.height} x {spec.width} pixels from {tree.path} need {needed / 1e9:.1f} "
            f"GB; accepted are up to {MOST / 1e9:.1f} GB: give a smaller size, such as size=32"
        )
    pixels = np.empty((len(names), channels, spec.height, spec.width), np.uint8)

    def fill(i: int) -> None:
        pixels[i] = _decode(tree, names[i], spec, None if size is not None else names[0])

    for _ in map_ahead(fill, range(len(names))):
        pass
    return pixels


def resized(pixels: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    """Resize (N, C, H, W) to (N, C, size, size) with LANCZOS, in 8 bits; as it is for None.

    Raises InputError if `size` is not a whole number of pixels.
    """
    if size is None or pixels.shape[2:] == (checked_size(size),) * 2:
        return pixels
    small = np.empty((*pixels.shape[:2], size, size), np.uint8)
    for i, image in enumerate(pixels):
        small[i] = resize(image, size, size)
    return small


def checked_size(size: int) -> int:
    """Return `size`; raises InputError if it is not a whole number of pixels."""
    return choose_size(np.array([1]), size)


def _spec(tree: Tree, name: str, channels: int) -> ImageSpec:
    with tree.open(name) as stream, opened(tree.where(name), stream) as image:
        return ImageSpec(channels, image.height, image.width)


def _decode(tree: Tree, name: str, spec: ImageSpec, first: str | None) -> NDArray[np.generic]:
    with tree.open(name) as stream, opened(tree.where(name), stream) as image:
        if first is not None and (image.height, image.width) != (spec.height, spec.width):
            raise InputError(
                f"{tree.where(name)} has {image.height} x {image.width} pixels, but {first} has "
                f"{spec.height} x {spec.width}: images of several sizes need one, such as size=128"
            )
        return decode_opened(image, tree.where(name), Layout(spec, "uint8")).pixels
