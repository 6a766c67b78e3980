"""Images of any size, each as the tiles that a method sees; whoever divides or names images sees whole ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from amiss.data.images import DIGEST, Images, Kind, Layout, Skipped, digest
from amiss.plain import ImageSpec
from amiss.transforms.tiles import Tiling, corners, count, uncut

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Cut:
    """All tiles of N images (C, H, W) of one size, image after image, cut when they are taken."""

    pixels: NDArray[np.generic]
    """(N, C, H, W); may be a memory map."""
    tiling: Tiling

    def __len__(self) -> int:
        return len(self.pixels) * count(self.pixels.shape[2:], self.tiling)

    def take(self, index: NDArray[np.int64]) -> torch.Tensor:
        """Return copies of the tiles at `index` (B,) as (B, C, side, side) in the stored dtype."""
        import torch  # only who trains or scores with it has it

        at = corners(self.pixels.shape[2:], self.tiling)
        image, (y, x) = index // len(at), at[index % len(at)].T
        windows = sliding_window_view(self.pixels, (self.tiling.side, self.tiling.side), axis=(2, 3))
        return torch.from_numpy(np.ascontiguousarray(windows[image, :, y, x]))


@dataclass(frozen=True, eq=False)
class Picked:
    """Some tiles of others, in the order of their rows (T,)."""

    tiles: Images | Cut
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: NDArray[np.int64]) -> torch.Tensor:
        """Return copies of the tiles at `index` (B,) as (B, C, side, side) in the stored dtype."""
        return self.tiles.take(self.rows[index])


class TiledImages:
    """N images (C, H, W), each of its own size, kept as tiles; subsets copy no pixels.

    Args:
        tiles: The tiles of all images, each image's one after the other.
        first: (N,) where each image's tiles begin.
        shapes: (N, 2) height and width of each image.
        layout: Of the tiles, with their tiling.
        names: What results call each image; its position by default.
        groups: (N,) codes; images of one group must not be separated.
        skipped: Images that were left out, and why.
        digests: (N,) of whole images, where they are known already.
        kinds: How many sources were grey or colour, and of which depth.
    """

    def __init__(
        self,
        tiles: Images | Cut,
        first: NDArray[np.int64],
        shapes: NDArray[np.int64],
        layout: Layout,
        names: Sequence[str] | None = None,
        groups: NDArray[np.int64] | None = None,
        skipped: Sequence[Skipped] = (),
        *,
        digests: NDArray[np.bytes_] | None = None,
        kinds: Mapping[Kind, int] = MappingProxyType({}),
    ) -> None:
        self._tiles, self._first, self.shapes, self.layout = tiles, first, shapes, layout
        self._names, self.groups, self._digests = names, groups, digests
        self.skipped: tuple[Skipped, ...] = tuple(skipped)
        self.kinds: Mapping[Kind, int] = dict(kinds)

    @classmethod
    def cut(
        cls,
        pixels: NDArray[np.generic],
        layout: Layout,
        names: Sequence[str] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> TiledImages:
        """Take images (N, C, H, W) of one size and of the layout's depth; nothing is copied before tiles are taken."""
        tiles = Cut(pixels, _tiling(layout))
        n, shape = len(pixels), pixels.shape[2:]
        first = np.arange(n) * count(shape, tiles.tiling)
        return cls(tiles, first, np.tile(np.array(shape, np.int64), (n, 1)), layout, names, groups)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        spec = self.spec
        return f"TiledImages({len(self)} in tiles of {spec.channels}x{spec.height}x{spec.width}, {self.layout.depth})"

    @property
    def tiling(self) -> Tiling:
        """How the images are cut."""
        return _tiling(self.layout)

    @property
    def spec(self) -> ImageSpec:
        """Channels, height and width of every tile."""
        return self.layout.spec

    @property
    def counts(self) -> NDArray[np.int64]:
        """Tiles (N,) of each image."""
        shapes, which = np.unique(self.shapes, axis=0, return_inverse=True)
        each = np.array([count((int(h), int(w)), self.tiling) for h, w in shapes], np.int64)
        return each[which.reshape(len(self))]

    @property
    def inputs(self) -> Picked:
        """What the method sees: the tiles of all images, image after image."""
        counts = self.counts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return Picked(self._tiles, np.repeat(self._first, counts) + within)

    def name(self, i: int) -> str:
        """Return what results call image i."""
        return str(i) if self._names is None else self._names[i]

    def whole(self, i: int) -> NDArray[np.generic]:
        """Return a copy of image i, (C, H, W), in the stored dtype."""
        shape = (int(self.shapes[i, 0]), int(self.shapes[i, 1]))
        rows = self._first[i] + np.arange(count(shape, self.tiling))
        return uncut(self._tiles.take(rows).numpy(), shape, self.tiling)

    def digests(self) -> NDArray[np.bytes_]:
        """Return (N,) 32-character digests of whole images, equal iff shapes and pixels are."""
        if self._digests is None:
            self._digests = np.array([digest(self.whole(i)) for i in range(len(self))], DIGEST)
        return self._digests

    def subset(self, index: NDArray[np.int64]) -> TiledImages:
        """Return the images at `index` (B,), in that order; no pixels are copied.

        Raises:
            IndexError: If a position is not within 0 to N - 1.
        """
        index = np.asarray(index, np.int64)
        outside = (index < 0) | (index >= len(self))
        if outside.any():
            raise IndexError(f"there is no image {index[outside][0]}; accepted are 0 to {len(self) - 1}")
        return TiledImages(
            self._tiles,
            self._first[index],
            self.shapes[index],
            self.layout,
            [self.name(int(i)) for i in index],
            None if self.groups is None else self.groups[index],
            self.skipped,
            digests=None if self._digests is None else self._digests[index],
            kinds=self.kinds,
        )


ImageSet = Images | TiledImages
"""Images that can be divided and named; `inputs` is what a method sees of them."""


def _tiling(layout: Layout) -> Tiling:
    assert layout.tiling is not None  # only images with a tiling are tiled
    return layout.tiling
