"""Images decoded once into memory-mapped files, in their own depth; a decode that was killed goes on where it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np

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
    Manifest,
    Read,
    Writer,
    image_bytes,
    refuse_damaged,
    refuse_full_disk,
    short_stamp,
)

OnBad = Literal["stop", "skip"]


def decode_store(
    listing: Listing,
    layout: Layout,
    directory: Path,
    *,
    on_bad: OnBad = "stop",
    progress: Progress | None = None,
    workers: int | None = None,
) -> Images:
    """Decode all files of `listing` into `directory`, or go on with a decode of the same files that was interrupted.

    Args:
        listing: The files, in the order that the images will have.
        layout: Their colour, size and depth.
        directory: Made if it is not there.
        on_bad: At files that cannot be read: "stop" names the first in the listing's order, "skip" leaves all out.
        progress: Told how many images are done, at most ten times a second.
        workers: Threads; one for each processor by default.

    Raises:
        InputError: If a file cannot be read, or if `directory` holds images of other files or of another layout.
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
        skipped = _decode(directory, manifest, listing, on_bad, progress, workers)
    except OSError as error:
        raise WorkError(f"the decoded images cannot be written to '{directory}': {error.strerror or error}") from error
    Manifest(layout, len(listing), manifest.fingerprint, skipped).write(directory)
    return open_store(directory)


def open_store(directory: Path) -> Images:
    """Open images that `decode_store` finished, memory-mapped.

    Raises:
        InputError: If there are none, or the decode was interrupted.
    """
    manifest = Manifest.read(directory)
    if manifest is None or manifest.skipped is None:
        raise InputError(f"'{directory}' holds no finished decode; decode the images first")
    spec = manifest.layout.spec
    shape = (manifest.count, spec.channels, spec.height, spec.width)
    marks = np.fromfile(directory / "marks", dtype=np.uint8)
    groups = directory / "groups"
    images = Images(
        np.memmap(directory / "pixels", dtype=manifest.layout.depth, mode="r", shape=shape),
        PackedText.open(directory, "names"),
        np.asarray(np.memmap(groups, dtype=np.int64, mode="r")) if groups.exists() else None,
        manifest.skipped,
        digests=np.asarray(np.memmap(directory / "digests", dtype=DIGEST, mode="r")),
        kinds={kind: int((marks == code).sum()) for code, kind in enumerate(KINDS, 1) if (marks == code).any()},
    )
    return images.subset(np.flatnonzero(marks)) if manifest.skipped else images


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
    for name, size in (("pixels", image_bytes(manifest.layout)), ("digests", DIGEST.itemsize), ("marks", 1)):
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
    refuse_full_disk(directory, len(todo) * image_bytes(layout))

    def read(i: int) -> Read:
        try:
            pixels, kind = decode_with_kind(listing.paths[i], layout)
        except InputError as error:
            return Read(i, b"", b"", 0, str(error))
        return Read(i, pixels.tobytes(), digest(pixels), 1 + KINDS.index(kind), "")

    skipped: list[Skipped] = []
    tell = paced(progress, "decoding", len(listing))
    with quiet(), Writer(directory, layout) as writer, closing(map_ahead(read, map(int, todo), workers)) as results:
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
    return f"{layout.spec.channels} x {layout.spec.height} x {layout.spec.width} in {layout.depth}"
