"""The files of a store of decoded images, and the order in which they are written.

`pixels` (N, C, H, W), `digests` and `marks` (N,), `names`, `groups` and `stamps` are flat files beside `store.json`. A
mark is 0 until the pixels of its image are on disk, then it tells what kind of file the image was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data.atomic import write_atomic
from amiss.data.images import DEPTHS, DIGEST, Kind, Layout, Skipped

_FORMAT = 1
_SYNC = 1.0  # seconds of work that a kill may cost
KINDS = [Kind(colour, depth) for depth in DEPTHS for colour in (False, True)]  # a mark is the position here, plus 1


@dataclass(frozen=True)
class Manifest:
    """What `store.json` holds; `skipped` is None until the decode is finished."""

    layout: Layout
    count: int
    fingerprint: str
    skipped: tuple[Skipped, ...] | None = None

    def write(self, directory: Path) -> None:
        """Write it to `directory`, whole or not at all; raises WorkError."""
        text = json.dumps({"format": _FORMAT, **asdict(self)})  # ASCII, also for file names that are not valid text
        write_atomic(directory / "store.json", lambda file: file.write(text.encode()))

    @classmethod
    def read(cls, directory: Path) -> Manifest | None:
        """Return what stands in `directory`, None if nothing does; raises InputError if it is something else."""
        path = directory / "store.json"
        if not path.exists():
            return None
        try:
            entries = json.loads(path.read_bytes())
            layout, skipped = entries["layout"], entries["skipped"]
            if entries["format"] != _FORMAT or layout["depth"] not in DEPTHS:
                raise ValueError(f"format {entries['format']} with {layout['depth']}")
            return cls(
                Layout(ImageSpec(**layout["spec"]), layout["depth"]),
                entries["count"],
                entries["fingerprint"],
                None if skipped is None else tuple(Skipped(*entry) for entry in skipped),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"'{path}' does not describe decoded images of this version; remove the folder") from error


class Read(NamedTuple):
    """One image, or the reason why there is none."""

    at: int
    pixels: bytes
    digest: bytes
    mark: int
    reason: str


class Writer:
    """Writes images and their digests, and marks them when those are on disk.

    It writes to files, not to memory maps: a full disk is then an error, where a map would kill the process.
    """

    def __init__(self, directory: Path, layout: Layout) -> None:
        self._files = ExitStack()
        self._pixels, self._digests, self._marks = (
            self._files.enter_context((directory / name).open("r+b")) for name in ("pixels", "digests", "marks")
        )
        self._image_bytes = image_bytes(layout)
        self._unmarked: list[tuple[int, int]] = []
        self._last = time.monotonic()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with self._files:  # also after an error: what was decoded is not lost
            self.sync()

    def write(self, one: Read) -> None:
        """Write one image, and about once a second mark those that were written."""
        _write_at(self._pixels, one.at * self._image_bytes, one.pixels)
        _write_at(self._digests, one.at * DIGEST.itemsize, one.digest)
        self._unmarked.append((one.at, one.mark))
        if time.monotonic() - self._last >= _SYNC:
            self.sync()

    def sync(self) -> None:
        """Bring pixels and digests to disk, then mark their images."""
        for file in (self._pixels, self._digests):
            file.flush()
            os.fsync(file.fileno())
        for index, mark in self._unmarked:
            _write_at(self._marks, index, bytes([mark]))
        self._marks.flush()
        self._unmarked.clear()
        self._last = time.monotonic()


def _write_at(file: BinaryIO, place: int, data: bytes) -> None:
    if file.tell() != place:
        file.seek(place)
    file.write(data)


def refuse_full_disk(directory: Path, needed: int) -> None:
    """Raise a WorkError if `directory` has not `needed` bytes free."""
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise WorkError(
            f"'{directory}' has {free / 1e9:.1f} GB free, and the decoded images need {needed / 1e9:.1f} GB"
        )


def refuse_damaged(directory: Path, manifest: Manifest) -> None:
    """Raise a WorkError if a file of the store that `manifest` describes is missing, or shorter than it was made."""
    sizes = {"pixels": image_bytes(manifest.layout), "digests": DIGEST.itemsize, "marks": 1, "names.ends": 8}
    wanted = {name: size * manifest.count for name, size in sizes.items()} | {"names.utf8": 1}
    for name, size in wanted.items():
        path = directory / name
        if not path.is_file() or path.stat().st_size < size:
            raise WorkError(f"'{path}' is missing or damaged: start anew (--overwrite), or remove '{directory}'")


def image_bytes(layout: Layout) -> int:
    """Bytes of one image."""
    return layout.spec.pixels * np.dtype(layout.depth).itemsize


def short_stamp(stamp: bytes) -> bytes:
    """Eight bytes that tell one stamp from another."""
    return hashlib.blake2b(stamp, digest_size=8).digest()
