"""What amiss must know of a data set to list, get, check and read it, however its files are laid out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amiss.contracts import InputError, Progress
from amiss.data.download import DataFile, measure
from amiss.data.labelled import Pieces

SplitName = Literal["train", "test", "all"]
"""An official split, or everything: the official splits after each other, or all of a set that has none."""

State = Literal["present", "missing", "wrong checksum", "partial"]


@dataclass(frozen=True)
class FileState:
    """What a check found of one official file or folder; `found` is empty for a missing one."""

    split: str
    path: Path
    state: State
    expected: str
    found: str


@dataclass(frozen=True)
class DataSet(ABC):
    """A labelled set of images, as its authors distribute it."""

    name: str
    title: str
    licence: str
    homepage: str

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """The splits that the authors made, in order; ("all",) where they made none."""

    @property
    @abstractmethod
    def images(self) -> str:
        """How many images of which shape, in words."""

    @property
    def members(self) -> tuple[DataSet, ...]:
        """Sets that this one consists of and that are read one by one; none for most."""
        return ()

    @abstractmethod
    def read(self, split: str, home: Path, size: int | None) -> Pieces:
        """Read one of `splits` from the data folder; InputError for files that are missing, damaged or others."""

    @abstractmethod
    def check(self, home: Path) -> list[FileState]:
        """Compare checksums, and count where there are none."""

    @abstractmethod
    def fetch(self, home: Path, progress: Progress | None) -> list[Path]:
        """Download what is missing or wrong, and return what is new.

        Raises InputError with instructions where the authors offer no direct link, WorkError when a download fails.
        """

    @abstractmethod
    def state(self, home: Path) -> str:
        """Say what is there by names alone; `absent` for nothing."""

    def asked(self, split: str) -> tuple[str, ...]:
        """Return the official splits that train, test or all stands for; raises InputError for any other."""
        if split == "all":
            return self.splits
        if split in ("train", "test") and split in self.splits:
            return (split,)
        if "all" in self.splits:
            raise InputError(
                f"{self.name} has no official splits, so no {split!r}: only all of it can be read, as 'all'"
            )
        raise InputError(f"{self.name} has no split {split!r}; train, test and all are accepted")


def file_state(file: DataFile, split: str, home: Path) -> FileState:
    """Compare one file below the data folder with its checksum."""
    path = home / file.path
    if not path.is_file():
        return FileState(split, path, "missing", file.checksum, "")
    found = measure(path, file.checksum)
    return FileState(split, path, "present" if found == file.checksum else "wrong checksum", file.checksum, found)


def splits_there(there: dict[str, bool], whole: str) -> str:
    """Put into words which splits are there: absent, `whole`, or train only."""
    held = [split for split, is_there in there.items() if is_there]
    if not held:
        return "absent"
    return whole if len(held) == len(there) else f"{' and '.join(held)} only"
