"""Images of one shape, in the depth of their source, in memory or in a memory-mapped file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from amiss.plain import ImageSpec, InputError
from amiss.transforms.tiles import Tiling

if TYPE_CHECKING:
    import torch

Depth = Literal["uint8", "uint16", "float32"]
DEPTHS: tuple[Depth, ...] = ("uint8", "uint16", "float32")
TOP: Mapping[Depth, int] = MappingProxyType({"uint8": 255, "uint16": 65535, "float32": 1})  # the value of full white
DIGEST = np.dtype("S32")
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True)
class Layout:
    """How a model's images are stored: their shape and their depth. It travels in the model file."""

    spec: ImageSpec
    """The shape of what the method sees: of an image, or of a tile."""
    depth: Depth
    tiling: Tiling | None = None
    """How images are cut into tiles; None where the method sees them whole."""

    def whole(self, height: int, width: int, what: str) -> Layout:
        """The layout of a whole image that comes in this size: this one, or with tiles its own size, or the tiling's.

        Raises InputError, which calls the image `what`, where it is smaller than a tile.
        """
        if self.tiling is None:
            return self
        side, size = self.tiling.side, self.tiling.size
        if size is None and min(height, width) < side:
            raise InputError(
                f"{what} has {height} x {width} pixels, which is smaller than a tile of {side} x {side}: give a "
                "smaller tile, or no such images"
            )
        return replace(self, spec=ImageSpec(self.spec.channels, size or height, size or width), tiling=None)


class Kind(NamedTuple):
    """What a source was before it was brought to a layout."""

    colour: bool
    depth: Depth


class Skipped(NamedTuple):
    """An image that could not be read, and why."""

    path: str
    reason: str


def digest(image: NDArray[np.generic]) -> bytes:
    """Return 32 hexadecimal characters, equal for two images (C, H, W) of one depth iff shapes and pixels are."""
    if image.dtype == np.float32:
        image = np.add(image, 0, dtype=np.float32)  # -0.0 and 0.0 are the same pixel, but not the same bytes
    found = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    if image.ndim == 3 and image.shape[1] != image.shape[2]:  # the pixels of squares tell their shape
        found.update(str(image.shape).encode())
    return found.hexdigest().encode()


def _codes(groups: NDArray[np.generic]) -> NDArray[np.int64]:
    if groups.ndim != 1 or groups.dtype.kind not in "iu":
        raise InputError(
            f"the groups have shape {groups.shape} and dtype {groups.dtype}; accepted is one whole number per image"
        )
    return groups.astype(np.int64, copy=False)


@dataclass(eq=False)
class _Source:
    """What an Images and all its subsets share."""

    pixels: NDArray[np.generic]
    names: Sequence[str] | None
    groups: NDArray[np.int64] | None
    digests: NDArray[np.bytes_] | None


class Images:
    """N images (C, H, W) of one shape in uint8, uint16 or float32; subsets are views.

    Args:
        pixels: (N, C, H, W) uint8, uint16 or float32 in [0, 1]; may be a memory map, then it is never read as a whole.
        names: What results call each image; the position in `pixels` by default.
        groups: (N,) codes; images of one group (a burst, a scene) must not be separated.
        skipped: Images that were left out, and why.
        digests: (N,) as `digests()` returns them, where they are known already.
        kinds: How many sources were grey or colour, and of which depth.

    Raises:
        InputError: If shapes or the dtype do not fit.
    """

    def __init__(
        self,
        pixels: NDArray[np.generic],
        names: Sequence[str] | None = None,
        groups: NDArray[np.int64] | None = None,
        skipped: Sequence[Skipped] = (),
        *,
        digests: NDArray[np.bytes_] | None = None,
        kinds: Mapping[Kind, int] = MappingProxyType({}),
    ) -> None:
        if pixels.ndim != 4 or pixels.dtype.name not in DEPTHS or not pixels.dtype.isnative:
            raise InputError(
                f"images of shape {pixels.shape} and dtype {pixels.dtype} are not (N, C, H, W) in {', '.join(DEPTHS)}"
            )
        for what, per_image in (("names", names), ("groups", groups), ("digests", digests)):
            if per_image is not None and len(per_image) != len(pixels):
                raise InputError(f"{len(per_image)} {what} were given for {len(pixels)} images; give one for each")
        if groups is not None:
            groups = _codes(np.asarray(groups))
        self._source = _Source(np.asarray(pixels), names, groups, digests)
        self._index: NDArray[np.int64] | None = None
        self.skipped: tuple[Skipped, ...] = tuple(skipped)
        self.kinds: Mapping[Kind, int] = dict(kinds)

    def __len__(self) -> int:
        return len(self._source.pixels) if self._index is None else len(self._index)

    def __repr__(self) -> str:
        spec = self.spec
        return f"Images({len(self)} of {spec.channels}x{spec.height}x{spec.width}, {self.layout.depth})"

    @property
    def spec(self) -> ImageSpec:
        """Channels, height and width of every image."""
        return ImageSpec(*self._source.pixels.shape[1:])

    @property
    def layout(self) -> Layout:
        """Shape and depth of every image."""
        return Layout(self.spec, next(d for d in DEPTHS if d == self._source.pixels.dtype.name))

    @property
    def inputs(self) -> Images:
        """What a method sees: the images themselves."""
        return self

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Group codes (N,), or None where images are not grouped."""
        groups = self._source.groups
        return groups if groups is None or self._index is None else groups[self._index]

    def name(self, i: int) -> str:
        """Return what results call image i."""
        at = int(self._rows(np.array([i]))[0])
        return str(at) if self._source.names is None else self._source.names[at]

    def take(self, index: NDArray[np.int64]) -> torch.Tensor:
        """Return copies of the images at `index` (B,) as (B, C, H, W) in the stored dtype.

        Raises:
            IndexError: If a position is not within 0 to N - 1.
        """
        import torch  # only who trains or scores with it has it

        return torch.from_numpy(np.ascontiguousarray(self._source.pixels[self._rows(index)]))

    def digests(self) -> NDArray[np.bytes_]:
        """Return (N,) 32-character digests, equal iff pixels are; read in chunks the first time, then kept."""
        if self._source.digests is None and self._index is None:
            self._source.digests = self._digests()
        known = self._source.digests
        if known is None:  # a small subset does not pay for the whole
            return self._digests()
        return known if self._index is None else known[self._index]

    def subset(self, index: NDArray[np.int64]) -> Images:
        """Return a view of the images at `index` (B,), in that order; no pixels are copied.

        Raises:
            IndexError: If a position is not within 0 to N - 1.
        """
        view = Images.__new__(Images)
        view._source = self._source
        view._index = self._rows(index)
        view.skipped = self.skipped
        view.kinds = self.kinds
        return view

    def _rows(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Turn positions in this view into positions in the source."""
        rows = np.asarray(index)
        if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
            raise IndexError(f"an index of shape {rows.shape} and dtype {rows.dtype} is not a row of whole numbers")
        rows = rows.astype(np.int64)  # a copy: a view must not change when the caller's array does
        outside = (rows < 0) | (rows >= len(self))
        if outside.any():
            raise IndexError(f"there is no image {rows[outside][0]}; accepted are 0 to {len(self) - 1}")
        return rows if self._index is None else self._index[rows]

    def _digests(self) -> NDArray[np.bytes_]:
        step = max(1, _CHUNK_BYTES // max(1, self.spec.pixels * self._source.pixels.itemsize))
        found = np.empty(len(self), dtype=DIGEST)
        for start in range(0, len(self), step):
            block = self.take(np.arange(start, min(start + step, len(self)))).numpy()
            found[start : start + len(block)] = [digest(image) for image in block]
        return found
