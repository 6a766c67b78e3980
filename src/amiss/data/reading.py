"""From whatever a person has to the images that a model is fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.arrays import Array, images_from_array, tiled_from_array
from amiss.data.decode import conversion_lines, plan_layout
from amiss.data.images import Images, Layout
from amiss.data.listing import FileSource, list_images
from amiss.data.store import OnBad, decode_store
from amiss.data.stream import stream
from amiss.data.tiled import ImageSet
from amiss.transforms.tiles import Tiling

Source = FileSource | Array
"""Images: a folder, one file, paths, a table with `image_path`, or an array NHW, NHWC or NCHW."""


@dataclass(frozen=True)
class Reading:
    """How files become images; none of it matters for arrays."""

    recursive: bool = False
    """Whether a folder with subfolders of other names than good, normal or ok is read whole."""
    group_by: str | None = None
    """What must not be separated: a table's column, or a pattern matched on each path, whose first group names it."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip and list it."""


def read_images(
    x: Source,
    folder: Path,
    reading: Reading,
    size: int | None,
    groups: NDArray[np.int64] | None,
    announce: Callable[[str], None],
    progress: Progress,
    tiling: Tiling | None = None,
) -> tuple[ImageSet, list[str]]:
    """Read normal images, files through a store in `folder`, and say in lines what was read as what.

    announce: told a fingerprint of the source before any file is decoded; it may raise to refuse.
    Raises InputError for images that cannot be used and WorkError if the store cannot be written.
    """
    if isinstance(x, np.ndarray | torch.Tensor):
        images = tiled_from_array(x, tiling, groups) if tiling else images_from_array(x, size=size, groups=groups)
        announce(fingerprint(images))
        return images, [f"{len(images):,} images from an array", *tile_lines(images)]
    if groups is not None:
        raise InputError("groups is for arrays: for files, give Reading(group_by=...)")
    found = list_images(x, recursive=reading.recursive, group_by=reading.group_by)
    normals = found.normal()
    announce(normals.fingerprint())
    layout = plan_layout(normals, size, progress, tiling)
    images = decode_store(normals, layout, folder, on_bad=reading.on_bad, progress=progress)
    return images, [*found.describe(), *conversion_lines(images.kinds, layout), *tile_lines(images)]


def read_known(x: Source, layout: Layout, normal: ImageSet) -> Images:
    """Read known anomalies, of a folder every image in it, into memory in the layout of the normal images.

    Raises InputError for none, for images that cannot be read, and for one that is also a normal image.
    """
    chunks = list(stream(x, layout))
    names = [name for chunk in chunks for name in chunk.names]
    known = Images(np.concatenate([chunk.pixels.numpy() for chunk in chunks]), names=names)
    both = np.flatnonzero(np.isin(known.digests(), normal.digests()))
    if len(both):
        raise InputError(
            f"the known anomaly {known.name(int(both[0]))} equals one of the normal images: take it out of one of them"
        )
    return known


def tile_lines(images: ImageSet) -> list[str]:
    """Say in a line into how many tiles images were cut, if they were."""
    if isinstance(images, Images):
        return []
    return [f"cut into {images.counts.sum():,} {images.tiling}"]


def fingerprint_source(x: Source) -> str:
    """Tell images apart before they are read: from the files' names, sizes and times, or from the array's bytes."""
    if isinstance(x, np.ndarray | torch.Tensor):
        return hashlib.sha256(np.ascontiguousarray(np.asarray(x)).data).hexdigest()
    return list_images(x, recursive=True, roles=False).fingerprint()


def fingerprint(images: ImageSet) -> str:
    """SHA-256 over the images' digests in sorted order: equal for equal sets of images."""
    return hashlib.sha256(np.sort(images.digests()).tobytes()).hexdigest()
