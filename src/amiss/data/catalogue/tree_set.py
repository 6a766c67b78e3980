"""Sets of single image files, in folders or in the authors' zip archive, which is read without being extracted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.catalogue.description import DataSet, FileState, file_state, splits_there
from amiss.data.download import DataFile, fetch
from amiss.data.labelled import NO_TAGS, Pieces
from amiss.data.pixels import read_pixels
from amiss.data.tree import Folder, Tree, opened_archive


class Listed(NamedTuple):
    """The images of one split: names (N) in the tree, labels (N,) that index `classes`, and further facts (N,)."""

    names: Sequence[str]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    tags: Mapping[str, NDArray[np.int64]] = NO_TAGS


Lister = Callable[[Tree], Listed]
"""Tells the images of one split from the names in a tree; raises InputError for a name that has no place in the set."""


@dataclass(frozen=True)
class Branch:
    """One official split: how many images it has, where they stand, and how their classes are told."""

    count: int
    folder: str
    """Below the data folder; the archive holds one folder of the same last name."""
    lister: Lister
    within: str = ""
    """What the folder must have for the split to be there."""
    archive: DataFile | None = None
    """The authors' zip archive; read instead of the folder where it is there."""
    other: str = ""
    """A second name of the folder, under which the set is found too."""

    def place(self, home: Path) -> Path:
        """Return the folder, under its second name if only that is there."""
        first, second = home / self.folder, home / (self.other or self.folder)
        return second if second.is_dir() and not first.is_dir() else first

    def open(self, home: Path) -> AbstractContextManager[Tree]:
        """Open the archive or the folder; raises InputError if neither can be."""
        if self.archive is not None and (home / self.archive.path).is_file():
            return opened_archive(home / self.archive.path, Path(self.folder).name)
        return nullcontext(Folder(self.place(home)))

    def there(self, home: Path) -> bool:
        """Tell by names alone whether the split is there."""
        return (self.archive is not None and (home / self.archive.path).is_file()) or self.unpacked(home)

    def unpacked(self, home: Path) -> bool:
        """Tell whether the folder is there."""
        return (self.place(home) / self.within).exists()


@dataclass(frozen=True)
class TreeSet(DataSet):
    """Splits of image files; which of the official images are there is counted, and some are enough to be read."""

    channels: int
    branches: Mapping[str, Branch]
    shape: str = ""
    """Height x width, such as 64x64; empty where images have several sizes."""
    manual: str = ""
    """How to get the files, in sentences, where there is no archive to download."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have a branch."""
        return tuple(self.branches)

    @property
    def images(self) -> str:
        """Such as 100,000 + 10,000 of 3x64x64."""
        shape = f"{self.channels}x{self.shape}" if self.shape else f"{self.channels} channels and several sizes"
        return f"{' + '.join(f'{branch.count:,}' for branch in self.branches.values())} of {shape}"

    def read(self, split: str, home: Path, size: int | None) -> Pieces:
        """List and decode the images; fewer than the official number are told of in `lines`."""
        branch = self.branches[split]
        if not branch.there(home):
            raise InputError(self._absent(split, branch, home))
        with branch.open(home) as tree:
            listed = branch.lister(tree)
            lines = self._counted(split, branch, len(listed.names), tree.path)
            pixels = read_pixels(tree, listed.names, self.channels, size)
        names = [f"{self.name}/{name}" for name in listed.names]
        return Pieces(pixels, names, listed.labels, listed.classes, listed.tags, lines)

    def _absent(self, split: str, branch: Branch, home: Path) -> str:
        what = f"{branch.folder}/{branch.within}".rstrip("/")
        instead = "" if branch.archive is None else f" nor {branch.archive.path}"
        how = "says how to get it" if branch.archive is None else "downloads it"
        return (
            f"{what} ({self.name}, {split}){instead} is not in {home}; `amiss data get {self.name}` {how}, "
            "or set AMISS_DATA to the folder that has it"
        )

    def _counted(self, split: str, branch: Branch, count: int, path: str) -> tuple[str, ...]:
        if not count:
            raise InputError(f"{path} holds no images of {self.name}, {split}; the official number is {branch.count:,}")
        if count > branch.count:
            raise InputError(f"{path} holds {count:,} images of {self.name}, {split}; the set has {branch.count:,}")
        return (
            ()
            if count == branch.count
            else (f"{self.name}, {split}: {count:,} of {branch.count:,} images are in {path}",)
        )

    def check(self, home: Path) -> list[FileState]:
        """Compare checksums of archives; count the images in folders, which have none."""
        states: list[FileState] = []
        for split, branch in self.branches.items():
            archive = branch.archive
            if archive is not None and ((home / archive.path).is_file() or not branch.unpacked(home)):
                if all(state.path != home / archive.path for state in states):  # one archive may hold both splits
                    states.append(file_state(archive, "all" if self._shared(archive) else split, home))
            else:
                states.append(_count(split, branch, home))
        return states

    def _shared(self, archive: DataFile) -> bool:
        return sum(branch.archive == archive for branch in self.branches.values()) > 1

    def fetch(self, home: Path, progress: Progress | None) -> list[Path]:
        """Download archives; folders that hold all images are left alone."""
        lacking = [branch for split, branch in self.branches.items() if not _whole(split, branch, home)]
        if any(branch.archive is None for branch in lacking):
            raise InputError(self.instructions)
        archives = dict.fromkeys(branch.archive for branch in lacking if branch.archive is not None)
        for archive in archives:
            if archive.url is None:
                raise InputError(f"{archive.path} of {self.name} has no address to come from")
            fetch(archive.url, home / archive.path, size=archive.size, checksum=archive.checksum, progress=progress)
        return [home / archive.path for archive in archives]

    @property
    def instructions(self) -> str:
        """What a user must do to get the files."""
        return f"{self.name} has no direct link to download: {self.manual} Licence: {self.licence}."

    def state(self, home: Path) -> str:
        """Tell which splits have a folder or an archive; only `check` counts."""
        return splits_there({split: branch.there(home) for split, branch in self.branches.items()}, "present")


def _count(split: str, branch: Branch, home: Path) -> FileState:
    path, expected = branch.place(home), f"{branch.count:,} images"
    if not branch.unpacked(home):
        return FileState(split, path, "missing", expected, "")
    count = len(branch.lister(Folder(path)).names)
    return FileState(split, path, "present" if count == branch.count else "partial", expected, f"{count:,} images")


def _whole(split: str, branch: Branch, home: Path) -> bool:
    """Tell whether nothing of a split needs to be downloaded."""
    archive = branch.archive
    if archive is not None and (home / archive.path).is_file():
        return file_state(archive, split, home).state == "present"
    return _count(split, branch, home).state == "present"
