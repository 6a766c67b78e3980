"""The data sets of the papers: where their official files are looked for, downloaded, checked and read."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.download import DataFile, fetch, measure, unpack
from amiss.data.images import Images
from amiss.data.official import SETS, DataSet, Part, SplitName

SPLITS: tuple[SplitName, SplitName] = ("train", "test")


@dataclass(frozen=True, eq=False)
class Labelled:
    """One official split in memory: uint8 images, labels (N,) that index `classes`."""

    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class FileState:
    """What a check found of one official file; `found` is empty for a missing one."""

    split: SplitName
    path: Path
    state: Literal["present", "missing", "wrong checksum"]
    expected: str
    found: str


@dataclass(frozen=True)
class SetRow:
    """One line of the list of sets."""

    name: str
    title: str
    licence: str
    images: str
    """Such as 60,000 + 10,000 of 1x28x28: training and test images, channels x height x width."""
    state: Literal["complete", "train only", "test only", "absent"]
    """Which splits have all their files, by name alone: only `check` reads them."""


def data_home(path: Path | None = None) -> Path:
    """Return the data folder: `path`, else the environment's AMISS_DATA, else amiss in the user's cache folder."""
    if path is not None:
        return path
    if named := os.environ.get("AMISS_DATA"):
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one is to be ignored (XDG base directories 0.8)
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "amiss"


def names() -> tuple[str, ...]:
    """Return the names of the known sets."""
    return tuple(data_set.name for data_set in SETS)


def find(name: str) -> DataSet:
    """Return the set of that name; raises InputError with the nearest names for an unknown one."""
    for data_set in SETS:
        if data_set.name == name:
            return data_set
    near = difflib.get_close_matches(name, names(), n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"there is no data set {name!r}; {meant}accepted are {', '.join(names())}")


def load(name: str | DataSet, split: SplitName, home: Path | None = None) -> Labelled:
    """Read one official split, with images named like fashion-mnist/train/00017.

    `name` is a known set's name, or the description of a set of your own. Raises InputError when a file is missing,
    damaged, or does not hold what the set's description says.
    """
    data_set = find(name) if isinstance(name, str) else name
    part, folder = data_set.part(split), data_home(home)
    form = part.held(folder)
    for file in form.files:
        if not (folder / file.path).is_file():
            raise InputError(
                f"{file.path} ({data_set.name}, {split}) is not in {folder}; `amiss data get {data_set.name}` "
                "downloads it, or set AMISS_DATA to the folder that has it"
            )
    pixels, labels = form.reader([folder / file.path for file in form.files])
    _require(data_set, part, pixels, labels, folder / form.files[0].path)
    images = Images(pixels, names=[f"{data_set.name}/{split}/{i:05d}" for i in range(len(pixels))])
    return Labelled(images, labels, data_set.classes)


def _require(data_set: DataSet, part: Part, pixels: NDArray[np.uint8], labels: NDArray[np.int64], path: Path) -> None:
    """Refuse files of the right format that are not this split: another set's, or cut at a record's end."""
    spec, top = data_set.spec, len(data_set.classes) - 1
    shape = (part.count, spec.channels, spec.height, spec.width)
    if pixels.shape != shape:
        raise InputError(f"{path} gives images of shape {pixels.shape}; {data_set.name} has {shape}")
    if len(labels) != len(pixels):
        raise InputError(f"{path} holds {len(pixels)} images, but there are {len(labels)} labels beside it")
    if labels.max() > top:
        raise InputError(f"the labels beside {path} reach {labels.max()}; {data_set.name} has 0 to {top}")


def check(name: str | DataSet, home: Path | None = None) -> list[FileState]:
    """Read every official file of a set and compare its checksum; raises InputError for an unknown name."""
    data_set = find(name) if isinstance(name, str) else name
    folder = data_home(home)
    return [_state(file, split, folder) for split in SPLITS for file in data_set.part(split).held(folder).files]


def _state(file: DataFile, split: SplitName, home: Path) -> FileState:
    path = home / file.path
    if not path.is_file():
        return FileState(split, path, "missing", file.checksum, "")
    found = measure(path, file.checksum)
    return FileState(split, path, "present" if found == file.checksum else "wrong checksum", file.checksum, found)


def get(name: str | DataSet, home: Path | None = None, progress: Progress | None = None) -> list[Path]:
    """Download what is missing or wrong of a set, verify it, and return the files that are new.

    Raises InputError for an unknown name and WorkError when a download fails; run again, it continues where it stopped.
    """
    data_set = find(name) if isinstance(name, str) else name
    folder = data_home(home)
    needed = [file for split in SPLITS for file in _needed(data_set.part(split), split, folder)]
    for file in needed:
        if file.url is not None:
            fetch(file.url, folder / file.path, size=file.size, checksum=file.checksum, progress=progress)
    packed = [file for file in needed if file.url is None]
    if packed:
        source = data_set.archive
        if source is None or source.url is None:
            raise InputError(f"{packed[0].path} of {data_set.name} has neither an address nor an archive to come from")
        archive = folder / source.path
        fetch(source.url, archive, size=source.size, checksum=source.checksum, progress=progress)
        unpack(archive, packed, folder, progress)
    return [folder / file.path for file in needed]


def _needed(part: Part, split: SplitName, home: Path) -> list[DataFile]:
    """Files to download: none if any form is whole, else what the first form lacks."""
    lacking = [
        [file for file in form.files if _state(file, split, home).state != "present"]
        for form in (part.held(home), part.forms[0])
    ]
    return lacking[1] if lacking[0] else []


def describe(home: Path | None = None) -> list[SetRow]:
    """Return one row for each known set, with what the data folder has of it."""
    return [_row(data_set, data_home(home)) for data_set in SETS]


def _row(data_set: DataSet, home: Path) -> SetRow:
    train, test = (
        all((home / file.path).is_file() for file in part.held(home).files) for part in (data_set.train, data_set.test)
    )
    spec = data_set.spec
    return SetRow(
        data_set.name,
        data_set.title,
        data_set.licence,
        f"{data_set.train.count:,} + {data_set.test.count:,} of {spec.channels}x{spec.height}x{spec.width}",
        "complete" if train and test else "train only" if train else "test only" if test else "absent",
    )
