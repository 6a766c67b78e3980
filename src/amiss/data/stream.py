"""Images to be scored, a chunk at a time; the next chunk is decoded while the last one is being scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.ahead import map_ahead
from amiss.data.arrays import Array, checked, convert, whole_layout
from amiss.data.decode import Decoded, decode_with_kind
from amiss.data.images import Images, Kind, Layout, Skipped
from amiss.data.listing import FileSource, Listing, list_images
from amiss.data.opening import quiet
from amiss.data.store import LARGE_WORKERS, OnBad
from amiss.data.store_files import image_bytes
from amiss.data.tiled import ImageSet, TiledImages

T = TypeVar("T")

CHUNK_BYTES = 64 << 20
"""Most pixels, in bytes, in a chunk of whole images that are tiled, if it holds more than one."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Up to `chunk` images in the source's order.

    `names` holds B texts and `pixels` is (B, C, H, W) in the layout's depth; B is 0 only where the last files of a
    source could not be read. With a tiling they are whole images, in a size of their own that all of a chunk have.
    `skipped` lists what could not be read on the way, `kinds` counts what the files were.
    """

    names: list[str]
    pixels: torch.Tensor
    skipped: list[Skipped] = field(default_factory=list)
    kinds: Mapping[Kind, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Stream:
    """Chunks of images; each time it is gone through, it starts anew.

    `total` is the number of images, those included that will turn out unreadable; `lines` say what was found where.
    """

    total: int
    lines: tuple[str, ...]
    chunks: Callable[[], Iterator[Chunk]]

    def __iter__(self) -> Iterator[Chunk]:
        return self.chunks()


def stream(
    source: FileSource | Array,
    layout: Layout,
    *,
    chunk: int = 256,
    recursive: bool = True,
    on_bad: OnBad = "stop",
    workers: int | None = None,
) -> Stream:
    """Prepare to go through the images of `source` in `layout`, with memory for about two chunks.

    With a tiling a chunk also ends where the next image has another size and before it exceeds 64 MB, though it holds
    at least one image; only a few images are decoded ahead.

    Args:
        source: What `list_images` takes, or an array or tensor as `images_from_array` takes it. Of a folder every image
            is read, whatever its subfolder is called, save masks in `ground_truth`.
        layout: The model's.
        chunk: Most images per chunk.
        recursive: Read subfolders too.
        on_bad: At a file that cannot be read: "stop" raises, "skip" lists it in its chunk.
        workers: Threads; one for each processor by default.

    Raises:
        InputError: At once if the source cannot be listed or an array does not fit the layout; while going through it,
            if a file cannot be read.
    """
    if chunk < 1:
        raise InputError(f"a chunk of {chunk} images is too small; accepted is 1 or more")
    if isinstance(source, (np.ndarray, torch.Tensor)):
        view = checked(source, layout)
        whole = whole_layout(view, layout)
        room = chunk if layout.tiling is None else _room(chunk, image_bytes(whole))
        return Stream(len(view), (), lambda: _array_chunks(view, whole, room))
    listing = list_images(source, recursive=recursive, roles=False)
    return Stream(len(listing), tuple(listing.lines), lambda: _file_chunks(listing, layout, chunk, on_bad, workers))


def as_images(chunk: Chunk, layout: Layout) -> ImageSet:
    """The images of a chunk as a method's inputs are taken from them: whole, or tile by tile."""
    pixels = chunk.pixels.numpy()
    return Images(pixels, chunk.names) if layout.tiling is None else TiledImages.cut(pixels, layout, chunk.names)


def _array_chunks(view: NDArray[np.generic], layout: Layout, chunk: int) -> Iterator[Chunk]:
    for start in range(0, len(view), chunk):
        pixels = convert(view[start : start + chunk], layout)
        names = [str(i) for i in range(start, start + len(pixels))]
        yield Chunk(names, torch.from_numpy(np.array(pixels, order="C")))


def _file_chunks(listing: Listing, layout: Layout, chunk: int, on_bad: OnBad, workers: int | None) -> Iterator[Chunk]:
    def read(i: int) -> tuple[str, Decoded | str]:
        try:
            return listing.names[i], decode_with_kind(listing.paths[i], layout)
        except InputError as error:
            return listing.names[i], str(error)

    return read_chunks(read, range(len(listing)), layout, chunk=chunk, on_bad=on_bad, workers=workers)


def read_chunks(
    read: Callable[[T], tuple[str, Decoded | str]],
    items: Iterable[T],
    layout: Layout,
    *,
    chunk: int = 256,
    on_bad: OnBad = "stop",
    workers: int | None = None,
) -> Iterator[Chunk]:
    """Chunks, as `stream` makes them, of what `read` says of each item in threads: its name, and pixels or why not.

    Raises InputError at an item that could not be read, with on_bad="stop".
    """
    large = layout.tiling is not None
    threads = (workers or LARGE_WORKERS) if large else workers
    gathered = _Gathered(layout, chunk)
    results = map_ahead(read, items, threads, together=1) if large else map_ahead(read, items, threads, ahead=chunk)
    with quiet(), closing(results):
        for name, result in results:
            if isinstance(result, Decoded):
                if gathered.differs(result):
                    yield gathered.take()
                gathered.good.append((name, result))
            elif on_bad == "skip":
                gathered.skipped.append(Skipped(name, result))
            else:
                raise InputError(f"{result} (on_bad='skip', --on-bad skip, leaves such images out)")
            if gathered.full():
                yield gathered.take()
    if gathered.good or gathered.skipped:
        yield gathered.take()


@dataclass
class _Gathered:
    """The next chunk, as far as it has been read."""

    layout: Layout
    chunk: int
    good: list[tuple[str, Decoded]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def differs(self, decoded: Decoded) -> bool:
        """Whether an image has another size than those before it."""
        return bool(self.good) and self.good[0][1].pixels.shape != decoded.pixels.shape

    def full(self) -> bool:
        if not self.good:
            return False
        room = self.chunk if self.layout.tiling is None else _room(self.chunk, self.good[0][1].pixels.nbytes)
        return len(self.good) >= room

    def take(self) -> Chunk:
        """What was read, and begin anew."""
        good, skipped, self.good, self.skipped = self.good, self.skipped, [], []
        return _chunk(good, skipped, self.layout)


def _room(chunk: int, image_bytes: int) -> int:
    """How many large images a chunk holds."""
    return max(1, min(chunk, CHUNK_BYTES // image_bytes))


def _chunk(good: list[tuple[str, Decoded]], skipped: list[Skipped], layout: Layout) -> Chunk:
    spec = layout.spec
    shape = good[0][1].pixels.shape if good else (spec.channels, spec.height, spec.width)
    pixels = np.empty((len(good), *shape), dtype=layout.depth)
    for row, (_, decoded) in zip(pixels, good, strict=True):
        row[:] = decoded.pixels
    kinds = Counter(decoded.kind for _, decoded in good)
    return Chunk([name for name, _ in good], torch.from_numpy(pixels), skipped, kinds)
