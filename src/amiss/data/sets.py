"""The data sets of the papers: where their official files are looked for, downloaded, checked and read."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amiss.contracts import InputError, Progress
from amiss.data.catalogue.description import DataSet, FileState, SplitName
from amiss.data.catalogue.known import SETS
from amiss.data.labelled import Labelled, join

__all__ = ["DataSet", "FileState", "Labelled", "SetRow", "SplitName", "check", "data_home", "describe", "find"]
__all__ += ["get", "load", "names"]


@dataclass(frozen=True)
class SetRow:
    """One line of the list of sets."""

    name: str
    title: str
    licence: str
    images: str
    """Such as 60,000 + 10,000 of 1x28x28: training and test images, channels x height x width."""
    state: str
    """What is there by names alone, such as complete, present, train only or absent: only `check` reads files."""


def data_home(path: Path | None = None) -> Path:
    """Return the data folder: `path`, else the environment's AMISS_DATA, else amiss in the user's cache folder."""
    if path is not None:
        return path
    if named := os.environ.get("AMISS_DATA"):
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one is to be ignored (XDG base directories 0.8)
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "amiss"


def names() -> tuple[str, ...]:
    """Return the names of the known sets; the members of mvtec-ad, which are read one by one, stand for themselves."""
    return tuple(data_set.name for data_set in SETS)


def find(name: str) -> DataSet:
    """Return the set of that name; raises InputError with the nearest names for an unknown one."""
    known = {data_set.name: data_set for known in SETS for data_set in (known, *known.members)}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"there is no data set {name!r}; {meant}accepted are {', '.join(names())}")


def load(name: str | DataSet, split: SplitName, home: Path | None = None, *, size: int | None = None) -> Labelled:
    """Read images with names like fashion-mnist/train/00017 or coil-20/obj3__12.png, and the class of each.

    Args:
        name: A known set's name, or the description of a set of your own.
        split: train or test as the authors split it, or all: their splits after each other, or a set without splits.
        home: Data folder; `data_home()` by default.
        size: Height and width in pixels to which every image is resized once, with LANCZOS, in 8 bits; needed where
            images have several sizes.

    Raises:
        InputError: If a file is missing, damaged, or not what the set's description says, the set has no such split, or
            its images have several sizes and no size is given. Where some of the official images of a set of single
            files are not there, the others are read, and `lines` says so.
    """
    data_set = find(name) if isinstance(name, str) else name
    folder = data_home(home)
    return join([data_set.read(part, folder, size) for part in data_set.asked(split)])


def check(name: str | DataSet, home: Path | None = None) -> list[FileState]:
    """Read every official file of a set and compare its checksum; where there is none, count the images.

    Raises InputError for an unknown name, and for files in a folder of images that have no place there.
    """
    data_set = find(name) if isinstance(name, str) else name
    return data_set.check(data_home(home))


def get(name: str | DataSet, home: Path | None = None, progress: Progress | None = None) -> list[Path]:
    """Download what is missing or wrong of a set, verify it, and return the files that are new.

    Raises InputError for an unknown name, and with instructions for a set that has no direct link; WorkError when a
    download fails: run again, it continues where it stopped.
    """
    data_set = find(name) if isinstance(name, str) else name
    return data_set.fetch(data_home(home), progress)


def describe(home: Path | None = None, only: Sequence[str] = ()) -> list[SetRow]:
    """Return one row for each known set, or for each of those named, with what the data folder has of it.

    Raises InputError for an unknown name.
    """
    folder = data_home(home)
    described = [find(name) for name in only or names()]
    return [SetRow(s.name, s.title, s.licence, s.images, s.state(folder)) for s in described]
