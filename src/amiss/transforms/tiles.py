"""Square tiles: where they lie in an image, cutting it, and putting maps and scores of tiles together again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from amiss.plain import InputError

Shape = tuple[int, int]
"""Height and width of an image, in pixels."""


@dataclass(frozen=True)
class Tiling:
    """How whole images become what a method sees, and how an image's score comes of its tiles' scores.

    Raises InputError for values that are out of range.
    """

    side: int
    """Side of a tile in pixels."""
    overlap: int
    """Pixels that neighbouring tiles share at least, along each axis."""
    pool: int = 1
    """An image's score is the mean of so many of its highest tile scores, of all where it has fewer; 1: the highest."""
    size: int | None = None
    """Side in pixels to which whole images are brought before they are cut; None: they keep their own size."""

    def __post_init__(self) -> None:
        if not _whole(self.side) or self.side < 1:
            raise InputError(f"a tile of {self.side!r} pixels is not accepted: give a whole number of at least 1")
        if not _whole(self.overlap) or not 0 <= self.overlap < self.side:
            raise InputError(
                f"a tile overlap of {self.overlap!r} pixels is not accepted: tiles of {self.side} can share 0 to "
                f"{self.side - 1}"
            )
        if not _whole(self.pool) or self.pool < 1:
            raise InputError(f"a tile pool of {self.pool!r} is not accepted: give a whole number of at least 1")
        if self.size is not None and (not _whole(self.size) or self.size < self.side):
            raise InputError(
                f"the size {self.size!r} cannot be cut into tiles of {self.side} pixels: give a whole number of at "
                f"least {self.side}"
            )

    @classmethod
    def of(
        cls, tile: int | None, overlap: int | None = None, pool: int | None = None, size: int | None = None
    ) -> Tiling | None:
        """The tiling that was asked for, None without `tile`; tiles share a quarter of their side by default.

        Raises InputError as the class, and for an overlap or a pool without a tile.
        """
        if tile is not None:
            usual = tile // 4 if _whole(tile) else 0
            return cls(tile, usual if overlap is None else overlap, 1 if pool is None else pool, size)
        for what, value in (("tile overlap", overlap), ("tile pool", pool)):
            if value is not None:
                raise InputError(f"a {what} of {value!r} says nothing without tiles: give tile= (--tile) too")
        return None

    def as_arguments(self) -> str:
        """The arguments that a detector is given for it."""
        return f"tile={self.side}, tile_overlap={self.overlap}, tile_pool={self.pool}"

    def __str__(self) -> str:
        pooled = "the highest" if self.pool == 1 else f"the mean of the {self.pool} highest"
        first = "" if self.size is None else f" of images brought to {self.size} x {self.size}"
        return (
            f"tiles of {self.side} x {self.side} pixels{first}, {self.overlap} or more shared by neighbours; "
            f"an image's score is {pooled} of its tiles' scores"
        )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def offsets(length: int, side: int, overlap: int) -> NDArray[np.int64]:
    """Where tiles start along one axis, (n,): as few as share `overlap` pixels or more, evenly spaced.

    The first starts at 0, the last ends at `length`. Raises InputError where `length` is less than `side`.
    """
    if length < side:
        raise InputError(f"{length} pixels are fewer than a tile of {side}")
    n = 1 if length == side else -(-(length - overlap) // (side - overlap))
    return np.arange(n) * (length - side) // max(1, n - 1)


def corners(shape: Shape, tiling: Tiling) -> NDArray[np.int64]:
    """Row and column of each tile's first pixel, (T, 2), row by row; raises InputError as `offsets`."""
    down, across = (offsets(length, tiling.side, tiling.overlap) for length in shape)
    return np.stack(np.meshgrid(down, across, indexing="ij"), -1).reshape(-1, 2)


def count(shape: Shape, tiling: Tiling) -> int:
    """How many tiles T an image has; raises InputError as `offsets`."""
    height, width = (len(offsets(length, tiling.side, tiling.overlap)) for length in shape)
    return height * width


def cut(image: NDArray[np.generic], tiling: Tiling) -> NDArray[np.generic]:
    """Tiles (T, C, side, side) of an image (C, H, W), copied; raises InputError as `offsets`."""
    y, x = corners((image.shape[1], image.shape[2]), tiling).T
    windows = sliding_window_view(image, (tiling.side, tiling.side), axis=(1, 2))
    return np.ascontiguousarray(np.moveaxis(windows[:, y, x], 1, 0))


def uncut(tiles: NDArray[np.generic], shape: Shape, tiling: Tiling) -> NDArray[np.generic]:
    """The image (C, H, W) of that shape whose tiles (T, C, side, side) these are: undoes `cut`."""
    image = np.empty((tiles.shape[1], *shape), tiles.dtype)
    for (y, x), tile in zip(corners(shape, tiling), tiles, strict=True):
        image[:, y : y + tiling.side, x : x + tiling.side] = tile
    return image


def lay(total: NDArray[np.float32], maps: NDArray[np.float32], at: NDArray[np.int64]) -> None:
    """Add maps (B, ..., side, side) to `total` (..., H, W), each where its tile's corner, (B, 2), lies."""
    side = maps.shape[-1]
    for (y, x), values in zip(at, maps, strict=True):
        total[..., y : y + side, x : x + side] += values


def coverage(shape: Shape, tiling: Tiling) -> NDArray[np.float32]:
    """How many tiles lie over each pixel, (H, W), at least 1 everywhere."""
    down, across = (_covered(length, tiling) for length in shape)
    return down[:, None] * across


def _covered(length: int, tiling: Tiling) -> NDArray[np.float32]:
    covered = np.zeros(length, np.float32)
    for start in offsets(length, tiling.side, tiling.overlap):
        covered[start : start + tiling.side] += 1
    return covered


def stitch(maps: NDArray[np.float32], shape: Shape, tiling: Tiling) -> NDArray[np.float32]:
    """One map (..., H, W) of maps of an image's tiles (T, ..., side, side): their mean where tiles overlap."""
    total = np.zeros((*maps.shape[1:-2], *shape), np.float32)
    lay(total, maps, corners(shape, tiling))
    total /= coverage(shape, tiling)
    return total


def pool(
    values: NDArray[np.float64], scores: NDArray[np.float64], counts: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """For N images, the mean (N,) of the values (T,) of each one's k highest-scoring tiles; of equal scores the first.

    scores: (T,) of all tiles, image after image. counts: (N,) tiles of each image, at least 1; of fewer than k all
    count. With the scores themselves as values this is the image's score; with a term of the score, that term's part.
    """
    image = np.repeat(np.arange(len(counts)), counts)
    best = np.lexsort((-scores, image))
    rank = np.arange(len(scores)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = best[rank < k]
    return np.bincount(image[chosen], values[chosen], len(counts)) / np.minimum(counts, k)
