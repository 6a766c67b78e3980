"""Sets whose splits are a few files that hold all images of one shape, each with a checksum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import ImageSpec, InputError, Progress
from amiss.data.catalogue.description import DataSet, FileState, file_state, splits_there
from amiss.data.download import DataFile, fetch, unpack
from amiss.data.labelled import Pieces, Records
from amiss.data.pixels import resized

Reader = Callable[[Sequence[Path]], tuple[NDArray[np.uint8], NDArray[np.int64]] | Records]
"""Reads the files of one split, in their order."""


@dataclass(frozen=True)
class Form:
    """One form in which a split is distributed."""

    files: tuple[DataFile, ...]
    reader: Reader


@dataclass(frozen=True)
class Part:
    """One official split: how many images it has, and its forms, the one that is downloaded first."""

    count: int
    forms: tuple[Form, ...]

    def held(self, home: Path) -> Form:
        """Return the form that `home` has the largest share of; the first where it has none."""
        return max(self.forms, key=lambda form: sum((home / f.path).is_file() for f in form.files) / len(form.files))


@dataclass(frozen=True)
class FileSet(DataSet):
    """A training and a test split of images of one shape."""

    classes: tuple[str, ...]
    spec: ImageSpec
    train: Part
    test: Part
    archive: DataFile | None = None
    """What holds every file that has no address of its own."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Both."""
        return ("train", "test")

    @property
    def images(self) -> str:
        """Such as 60,000 + 10,000 of 1x28x28: training and test images, channels x height x width."""
        spec = self.spec
        return f"{self.train.count:,} + {self.test.count:,} of {spec.channels}x{spec.height}x{spec.width}"

    def part(self, split: str) -> Part:
        """Return the split of that name."""
        return self.train if split == "train" else self.test

    def read(self, split: str, home: Path, size: int | None) -> Pieces:
        """Read the files and compare their number, shape and labels with what the set has."""
        part = self.part(split)
        form = part.held(home)
        for file in form.files:
            if not (home / file.path).is_file():
                raise InputError(
                    f"{file.path} ({self.name}, {split}) is not in {home}; `amiss data get {self.name}` "
                    "downloads it, or set AMISS_DATA to the folder that has it"
                )
        records = Records(*form.reader([home / file.path for file in form.files]))
        self._require(part, records, home / form.files[0].path)
        names = [f"{self.name}/{split}/{i:05d}" for i in range(len(records.pixels))]
        return Pieces(resized(records.pixels, size), names, records.labels, self.classes, records.tags)

    def _require(self, part: Part, records: Records, path: Path) -> None:
        """Refuse files of the right format that are not this split: another set's, or cut at a record's end."""
        spec, top = self.spec, len(self.classes) - 1
        pixels, labels, _ = records
        shape = (part.count, spec.channels, spec.height, spec.width)
        if pixels.shape != shape:
            raise InputError(f"{path} gives images of shape {pixels.shape}; {self.name} has {shape}")
        if len(labels) != len(pixels):
            raise InputError(f"{path} holds {len(pixels)} images, but there are {len(labels)} labels beside it")
        if labels.max() > top:
            raise InputError(f"the labels beside {path} reach {labels.max()}; {self.name} has 0 to {top}")

    def check(self, home: Path) -> list[FileState]:
        """Read every file of the forms that are there."""
        return [file_state(file, split, home) for split in self.splits for file in self.part(split).held(home).files]

    def fetch(self, home: Path, progress: Progress | None) -> list[Path]:
        """Download files that have an address, and take the others out of the archive."""
        needed = [file for split in self.splits for file in _needed(self.part(split), split, home)]
        for file in needed:
            if file.url is not None:
                fetch(file.url, home / file.path, size=file.size, checksum=file.checksum, progress=progress)
        packed = [file for file in needed if file.url is None]
        if packed:
            source = self.archive
            if source is None or source.url is None:
                raise InputError(f"{packed[0].path} of {self.name} has neither an address nor an archive to come from")
            archive = home / source.path
            fetch(source.url, archive, size=source.size, checksum=source.checksum, progress=progress)
            unpack(archive, packed, home, progress)
        return [home / file.path for file in needed]

    def state(self, home: Path) -> str:
        """Tell which splits have all their files."""
        there = {
            split: all((home / file.path).is_file() for file in self.part(split).held(home).files)
            for split in self.splits
        }
        return splits_there(there, "complete")


def _needed(part: Part, split: str, home: Path) -> list[DataFile]:
    """Files to download: none if any form is whole, else what the first form lacks."""
    lacking = [
        [file for file in form.files if file_state(file, split, home).state != "present"]
        for form in (part.held(home), part.forms[0])
    ]
    return lacking[1] if lacking[0] else []
