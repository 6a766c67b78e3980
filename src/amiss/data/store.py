"""Images decoded once into memory-mapped files, in their own depth; a decode that was killed goes on where it was.

A store is a folder of flat files: `pixels` (N, C, H, W), `digests` and `marks` (N,), `names`, `groups` and `stamps`, and
`store.json`. A mark is 0 until the pixels of its image are on disk, then it tells what kind of file the image was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import ImageSpec, InputError, Progress, WorkError
from amiss.data.ahead import map_ahead
from amiss.data.atomic import write_atomic
from amiss.data.decode import decode_with_kind
from amiss.data.images import DEPTHS, DIGEST, Images, Kind, Layout, Skipped, digest
from amiss.data.listing import Listing
from amiss.data.opening import quiet
from amiss.data.pace import paced
from amiss.data.packed import PackedText

OnBad = Literal["stop", "skip"]
_FORMAT = 1
_SYNC = 1.0  # seconds of work that a kill may cost


class _Read(NamedTuple):
    """One image, or the reason why there is none."""

    index: int
    pixels: bytes
    digest: bytes
    mark: int
    reason: str


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
        on_bad: At a file that cannot be read: "stop" names the first in the listing's order, "skip" leaves all such out.
        progress: Told how many images are done, at most ten times a second.
        workers: Threads; one for each processor by default.

    Raises:
        InputError: If a file cannot be read, or if `directory` holds a store of other files or of another layout.
        WorkError: If the disk is full or fails.
    """
    store = _Store(directory, layout, len(listing))
    try:
        store.begin(listing)
        skipped = _decode(store, listing, on_bad, progress, workers)
        store.write_manifest(listing.fingerprint(), skipped)
    except OSError as error:
        raise WorkError(f"the decoded images cannot be written to '{directory}': {error.strerror or error}") from error
    return open_store(directory)
