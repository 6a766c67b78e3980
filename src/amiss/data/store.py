"""Images decoded once into memory-mapped files, in their own depth; a decode that was killed goes on where it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress, WorkError
from amiss.data.ahead import map_ahead
from amiss.data.decode import decode_with_kind
from amiss.data.images import DIGEST, Images, Layout, Skipped, digest
from amiss.data.listing import Listing
from amiss.data.opening import quiet
from amiss.data.pace import paced
from amiss.data.packed import PackedText
from amiss.data.store_files import (
    KINDS,
    PLACE,
    Manifest,
    Read,
    Writer,
    file_sizes,
    refuse_damaged,
    refuse_full_disk,
    rows_used,
    short_stamp,
)
from amiss.data.tiled import ImageSet, TiledImages
from amiss.transforms.tiles import cut

OnBad = Literal["stop", "skip"]
LARGE_WORKERS = 2
"""Threads that decode images of any size, if not told otherwise: each holds a whole image or two."""


def decode_store(
    listing: Listing,
    layout: Layout,
    directory: Path,
    *,
    on_bad: OnBad = "stop",
    progress: Progress | None = None,
    workers: int | None = None,
) -> ImageSet:
    """Decode all files of `listing` into `directory`, or go on with a decode of the same files that was interrupted.

    Args:
        listing: The files, in the order that the images will have.
        layout: Their colour, size and depth; with a tiling, tiles are stored, of images in their own size.
        directory: Made if it is not there.
        on_bad: At files that cannot be read: "stop" names the first in the listing's order, "skip" leaves all out.
        progress: Told how many images are done, at most ten times a second.
        workers: Threads; one for each processor by default, two with a tiling.

    Raises:
        InputError: If a file cannot be read or is smaller than a tile, or if `directory` holds images of other files or
            of another layout.
        WorkError: If the disk is full or fails, or if what `directory` holds is damaged.
    """
    if not len(listing):
        raise InputError(f"'{listing.root}' lists no images to decode")
    manifest = Manifest(layout, len(listing), listing.fingerprint())
    try:
        before = Manifest.read(directory)
        if before is None:
            _begin(directory, manifest, listing)
        else:
            _refuse_other(directory, before, manifest, listing)
            refuse_damaged(directory, before)
            if before.skipped is not None and (on_bad == "skip" or not before.skipped):
                return open_store(directory)
        skipped = _decode(directory, manifest, listing, on_bad, progress, workers)
    except OSError as error:
        raise WorkError(f"the decoded images cannot be written to '{directory}': {error.strerror or error}") from error
    Manifest(layout, len(listing), manifest.fingerprint, skipped).write(directory)
    return open_store(directory)


def open_store(directory: Path) -> ImageSet:
    """Open images that `decode_store` finished, memory-mapped.

    Raises:
        InputError: If there are none, or the decode was interrupted.
    """
    manifest = Manifest.read(directory)
    if manifest is None or manifest.skipped is None:
        raise InputError(f"'{directory}' holds no finished decode; decode the images first")
    layout = manifest.layout
    marks = np.fromfile(directory / "marks", dtype=np.uint8)
    names = PackedText.open(directory, "names")
    codes = directory / "groups"
    groups = np.asarray(np.memmap(codes, dtype=np.int64, mode="r")) if codes.exists() else None
    digests = np.asarray(np.memmap(directory / "digests", dtype=DIGEST, mode="r"))
    kinds = {kind: int((marks == code).sum()) for code, kind in enumerate(KINDS, 1) if (marks == code).any()}
    images: ImageSet
    if layout.tiling is None:
        pixels = _pixels(directory, layout, manifest.count)
        images = Images(pixels, names, groups, manifest.skipped, digests=digests, kinds=kinds)
    else:
        tiles = Images(_pixels(directory, layout, rows_used(directory, layout.tiling)))
        places = np.fromfile(directory / "places", PLACE)
        shapes = np.stack([places["height"], places["width"]], 1).astype(np.int64)
        images = TiledImages(
            tiles, places["row"], shapes, layout, names, groups, manifest.skipped, digests=digests, kinds=kinds
        )
    return images.subset(np.flatnonzero(marks)) if manifest.skipped else images


def _pixels(directory: Path, layout: Layout, n: int) -> NDArray[np.generic]:
    """The first n images, or tiles, of a store."""
    shape = (n, layout.spec.channels, layout.spec.height, layout.spec.width)
    if not n:
        return np.empty(shape, layout.depth)
    return np.memmap(directory / "pixels", dtype=layout.depth, mode="r", shape=shape)


def _begin(directory: Path, manifest: Manifest, listing: Listing) -> None:
    """Make an empty store; the manifest comes last, so that a kill before it means starting anew."""
    directory.mkdir(parents=True, exist_ok=True)
    PackedText.write(listing.names, directory, "names")
    (directory / "groups").unlink(missing_ok=True)
    if listing.groups is not None:
        codes: dict[str, int] = {}
        np.fromiter((codes.setdefault(g, len(codes)) for g in listing.groups), np.int64).tofile(directory / "groups")
    with (directory / "stamps").open("wb") as stamps:
        for stamp in listing.stamps():
            stamps.write(short_stamp(stamp))
    for name, size in file_sizes(manifest.layout).items():
        with (directory / name).open("wb") as file:
            file.truncate(size * manifest.count)
    manifest.write(directory)


def _refuse_other(directory: Path, before: Manifest, now: Manifest, listing: Listing) -> None:
    """Raise an InputError that names what changed since the decode in `directory` began."""
    what = ""
    if before.layout != now.layout:
        what = f"as {_words(before.layout)}, and {_words(now.layout)} is asked for"
    elif before.count != now.count:
        what = f"from {before.count} files, and there are {now.count} now"
    elif before.fingerprint != now.fingerprint:
        old = (directory / "stamps").read_bytes()
        changed = (i for i, stamp in enumerate(listing.stamps()) if old[8 * i : 8 * i + 8] != short_stamp(stamp))
        what = f"from other files: '{listing.names[next(changed, 0)]}' has changed or was not among them"
    if what:
        raise InputError(f"the images in '{directory}' were decoded {what}; start anew or restore what was there")


def _decode(
    directory: Path,
    manifest: Manifest,
    listing: Listing,
    on_bad: OnBad,
    progress: Progress | None,
    workers: int | None,
) -> tuple[Skipped, ...]:
    """Decode what is not marked yet; return what was skipped."""
    layout = manifest.layout
    todo = np.flatnonzero(np.fromfile(directory / "marks", dtype=np.uint8) == 0)
    refuse_full_disk(directory, len(todo) * file_sizes(layout)["pixels"])

    def read(i: int) -> Read:
        try:
            pixels, kind = decode_with_kind(listing.paths[i], layout)
        except InputError as error:
            return Read(i, b"", b"", 0, str(error))
        kept = pixels if layout.tiling is None else cut(pixels, layout.tiling)
        shape = (pixels.shape[1], pixels.shape[2])
        return Read(i, kept.tobytes(), digest(pixels), 1 + KINDS.index(kind), "", shape)

    items = map(int, todo)
    if layout.tiling is None:
        results = map_ahead(read, items, workers)
    else:
        results = map_ahead(read, items, workers or LARGE_WORKERS, together=1)

    skipped: list[Skipped] = []
    tell = paced(progress, "decoding", len(listing))
    with quiet(), Writer(directory, layout) as writer, closing(results):
        for done, one in enumerate(results, len(listing) - len(todo) + 1):
            if one.mark:
                writer.write(one)
            elif on_bad == "skip":
                skipped.append(Skipped(listing.names[one.at], one.reason))
            else:
                raise InputError(f"{one.reason} (on_bad='skip', --on-bad skip, leaves such images out)")
            tell(done)
    return tuple(skipped)


def _words(layout: Layout) -> str:
    tiles = "" if layout.tiling is None else f", as {layout.tiling}"
    return f"{layout.spec.channels} x {layout.spec.height} x {layout.spec.width} in {layout.depth}{tiles}"
