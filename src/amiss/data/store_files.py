"""The files of a store of decoded images, and the order in which they are written.

`pixels` (N, C, H, W), `digests` and `marks` (N,), `names`, `groups` and `stamps` are flat files beside `store.json`. A
mark is 0 until the pixels of its image are on disk, then it tells what kind of file the image was. With a tiling,
`pixels` is (T, C, side, side), each image's tiles one after the other as they were decoded, and `places` (N,) tells
where they begin and how large the image is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data.atomic import write_atomic
from amiss.data.images import DEPTHS, DIGEST, Kind, Layout, Skipped
from amiss.transforms.tiles import Shape, Tiling, count

_FORMAT = 1
_SYNC = 1.0  # seconds of work that a kill may cost
PLACE = np.dtype([("row", np.int64), ("height", np.int32), ("width", np.int32)])
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
            tiling = layout.get("tiling")
            if entries["format"] != _FORMAT or layout["depth"] not in DEPTHS:
                raise ValueError(f"format {entries['format']} with {layout['depth']}")
            return cls(
                Layout(ImageSpec(**layout["spec"]), layout["depth"], None if tiling is None else Tiling(**tiling)),
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
    shape: Shape = (0, 0)
    """Height and width of a whole image, where `pixels` are its tiles."""


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
        self._places: BinaryIO | None = None
        if layout.tiling is not None:
            self._places = self._files.enter_context((directory / "places").open("r+b"))
            self._rows = rows_used(directory, layout.tiling)
        self._unmarked: list[tuple[int, int]] = []
        self._last = time.monotonic()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with self._files:  # also after an error: what was decoded is not lost
            self.sync()

    def write(self, one: Read) -> None:
        """Write one image, and about once a second mark those that were written."""
        row = one.at
        if self._places is not None:
            row = self._rows
            self._rows += len(one.pixels) // self._image_bytes
            _write_at(self._places, one.at * PLACE.itemsize, np.array((row, *one.shape), PLACE).tobytes())
        _write_at(self._pixels, row * self._image_bytes, one.pixels)
        _write_at(self._digests, one.at * DIGEST.itemsize, one.digest)
        self._unmarked.append((one.at, one.mark))
        if time.monotonic() - self._last >= _SYNC:
            self.sync()

    def sync(self) -> None:
        """Bring pixels and digests to disk, then mark their images."""
        for file in (self._pixels, self._digests, *([] if self._places is None else [self._places])):
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


def rows_used(directory: Path, tiling: Tiling) -> int:
    """How many rows of `pixels` hold tiles of images that are marked."""
    places = np.fromfile(directory / "places", PLACE)[np.fromfile(directory / "marks", np.uint8) != 0]
    if not len(places):
        return 0
    last = places[np.argmax(places["row"])]
    return int(last["row"]) + count((int(last["height"]), int(last["width"])), tiling)


def refuse_full_disk(directory: Path, needed: int) -> None:
    """Raise a WorkError if `directory` has not `needed` bytes free."""
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise WorkError(
            f"'{directory}' has {free / 1e9:.1f} GB free, and the decoded images need {needed / 1e9:.1f} GB"
        )


def refuse_damaged(directory: Path, manifest: Manifest) -> None:
    """Raise a WorkError if a file of the store that `manifest` describes is missing, or shorter than it was made."""
    layout, n = manifest.layout, manifest.count
    sizes = {name: size * n for name, size in file_sizes(layout).items()}
    _require_size(directory, sizes | {"names.ends": 8 * n, "names.utf8": 1})
    if layout.tiling is not None:
        _require_size(directory, {"pixels": rows_used(directory, layout.tiling) * image_bytes(layout)})


def _require_size(directory: Path, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        path = directory / name
        if not path.is_file() or path.stat().st_size < size:
            raise WorkError(f"'{path}' is missing or damaged: start anew (--overwrite), or remove '{directory}'")


def file_sizes(layout: Layout) -> dict[str, int]:
    """Bytes that each file holds of each image from the start; tiles come as they are decoded."""
    sizes = {"digests": DIGEST.itemsize, "marks": 1}
    if layout.tiling is None:
        return {"pixels": image_bytes(layout), **sizes}
    return {"pixels": 0, "places": PLACE.itemsize, **sizes}


def image_bytes(layout: Layout) -> int:
    """Bytes of one image, or of one tile."""
    return layout.spec.pixels * np.dtype(layout.depth).itemsize


def short_stamp(stamp: bytes) -> bytes:
    """Eight bytes that tell one stamp from another."""
    return hashlib.blake2b(stamp, digest_size=8).digest()
