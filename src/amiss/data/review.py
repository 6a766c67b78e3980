"""What a person said of images: a CSV file of marks, and the files and pixels that it speaks of."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from amiss.contracts import InputError
from amiss.data.images import Layout, digest
from amiss.data.listing import Listing, list_images
from amiss.data.packed import PackedText
from amiss.data.store import OnBad
from amiss.data.stream import stream
from amiss.data.table import PATH

Mark = Literal["normal", "anomaly", "unsure"]
MARKS: tuple[Mark, ...] = get_args(Mark)
REVIEW = "review"


@dataclass(frozen=True)
class Review:
    """Marks by the path of each image, as it was given."""

    marks: Mapping[str, Mark]
    where: Mapping[str, str]
    """What errors call the place of each mark: 'review.csv' in line 3."""
    notes: tuple[str, ...] = ()
    """Images that were marked in two ways, a line each."""


@dataclass(frozen=True)
class Said:
    """What was said of one image: by its pixels, because paths change."""

    path: str
    mark: Mark
    digest: str

    def to_json(self) -> list[str]:
        """As a model file keeps it."""
        return [self.path, self.mark, self.digest]

    @classmethod
    def of_json(cls, value: object) -> list[Said]:
        """What a model file keeps of earlier reviews, if it does."""
        rows = value if isinstance(value, list) else []
        return [cls(str(path), mark, str(of)) for path, said, of in rows for mark in MARKS if mark == said]


def read_review(path: str | Path) -> Review:
    """Read a CSV file with the columns image_path and review: normal, anomaly or unsure; others are ignored.

    Of several lines for one image the last counts. Raises InputError, with the file, the line and the value, for
    anything else.
    """
    marks: dict[str, Mark] = {}
    lines: dict[str, int] = {}
    known: dict[str, str] = {}
    notes: list[str] = []
    for line, image, mark in _rows(Path(path)):
        before = known.pop(place(image), None)
        if before is not None:
            old, at = marks.pop(before), lines.pop(before)
            if old != mark:
                notes.append(f"'{image}' is marked {old} in line {at} and {mark} in line {line}: the last counts")
        marks[image], lines[image], known[place(image)] = mark, line, image
    return Review(marks, {image: f"'{path}' in line {line}" for image, line in lines.items()}, tuple(notes))


def place(path: str) -> str:
    """One text for all ways to write the path of one file."""
    return os.path.normpath(Path(path).absolute())


def _rows(path: Path) -> Iterator[tuple[int, str, Mark]]:
    """Line, path and mark of each row."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(rows, [])
        at = {name: _column(path, header, name) for name in (PATH, REVIEW)}
        for row in rows:
            if not row:  # a blank line
                continue
            line = rows.line_num
            if len(row) != len(header):
                raise InputError(f"'{path}' has {len(row)} fields in line {line}; its header has {len(header)}")
            image, said = row[at[PATH]], row[at[REVIEW]].strip().lower()
            mark = next((known for known in MARKS if known == said), None)
            if mark is None:
                accepted = "normal, anomaly and unsure"
                raise InputError(f"'{path}' has the review {row[at[REVIEW]]!r} in line {line}; accepted are {accepted}")
            if not image.strip() or "\0" in image:
                raise InputError(f"'{path}' has the {PATH} {image!r} in line {line}; accepted is the path of an image")
            yield line, image, mark
    except csv.Error as error:
        raise InputError(f"'{path}' is not comma-separated text in line {rows.line_num}: {error}") from error


def _text(path: Path) -> str:
    if not path.is_file():
        kind = "is no file" if path.exists() else "does not exist"
        raise InputError(f"the review '{path}' {kind}; accepted is a CSV file with the columns {PATH} and {REVIEW}")
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"the review '{path}' cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line, wrong = data.count(b"\n", 0, error.start) + 1, data[error.start : error.start + 1]
        raise InputError(f"'{path}' holds the byte {wrong!r} in line {line}; accepted is UTF-8 text") from error


def _column(path: Path, header: Sequence[str], name: str) -> int:
    names = [field.strip() for field in header]
    if names.count(name) != 1:
        held = f"{names.count(name)} columns" if name in names else "no column"
        raise InputError(
            f"'{path}' has {held} '{name}' in line 1 ({', '.join(names) or 'nothing'}); accepted are the columns "
            f"{PATH} and {REVIEW}, once each, and any others"
        )
    return names.index(name)


def locate(listing: Listing, review: Review) -> dict[str, str]:
    """Find the file of each marked image: a training file of that name, or the file at that path.

    Raises InputError for an image that is neither.
    """
    rows = zip(listing.names, listing.paths, strict=True)
    files = {name: path for name, path in rows if name in review.marks}
    for image in review.marks:
        if image not in files and not is_file(image):
            raise InputError(
                f"{review.where[image]} names '{image}', which is neither a training image nor a file; paths are those "
                "of the score table, from the folder that amiss was run in"
            )
        files.setdefault(image, image)
    return files


def is_file(path: str) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return Path(path).is_file()
    except OSError:  # such as a name that is too long
        return False


def digests_of(files: Sequence[str], layout: Layout, on_bad: OnBad = "stop") -> dict[str, str]:
    """Digests of files in a model's layout; files that cannot be read raise InputError or are left out."""
    if not files:
        return {}
    return {
        name: digest(image).decode()
        for chunk in stream(list(files), layout, on_bad=on_bad)
        for name, image in zip(chunk.names, chunk.pixels.numpy(), strict=True)
    }


def settle(said: Sequence[Said], earlier: Sequence[Said]) -> tuple[list[Said], list[str]]:
    """Add what earlier reviews said of other images; of copies with equal pixels, anomaly and then unsure count.

    Returns what counts, and a line for each image that counts as something else than it was marked.
    """
    new = {one.digest for one in said} | {place(one.path) for one in said}
    rest = [one for one in earlier if one.digest not in new and place(one.path) not in new]
    careful = ("normal", "unsure", "anomaly")
    strictest: dict[str, Said] = {}
    for one in said:
        before = strictest.get(one.digest, one)
        strictest[one.digest] = max(before, one, key=lambda known: careful.index(known.mark))
    notes = [
        f"'{one.path}' is marked {one.mark} and its copy '{strictest[one.digest].path}' "
        f"{strictest[one.digest].mark}, which counts for both"
        for one in said
        if strictest[one.digest].mark != one.mark
    ]
    return [*rest, *(Said(one.path, strictest[one.digest].mark, one.digest) for one in said)], notes


def join_files(listing: Listing, files: Sequence[str], where: Mapping[str, str], group_by: str | None) -> Listing:
    """Put files after those of a listing, without those that it lists already.

    Raises InputError where a table groups the listing, because it does not tell the groups of other files.
    """
    wanted = {place(file): file for file in files}
    for path in listing.paths:
        wanted.pop(place(path), None)
    if not wanted:
        return listing
    added = list(wanted.values())
    of_table = listing.paths is not listing.names
    if listing.groups is not None and of_table:
        raise InputError(
            f"{where[added[0]]} names '{added[0]}', whose group is not known: the training images are grouped by a "
            "table; take the line out, or put the image into the table with its group"
        )
    more = list_images(added, group_by=None if of_table else group_by)
    names = PackedText.pack(chain(listing.names, more.names))
    paths = PackedText.pack(chain(listing.paths, more.paths)) if of_table else names
    nothing = np.zeros(len(names), bool)
    groups = None if listing.groups is None or more.groups is None else [*listing.groups, *more.groups]
    return Listing(listing.root, names, paths, nothing, nothing, groups, listing.lines)


def fingerprint_said(said: Sequence[Said]) -> str:
    """SHA-256 over marks and pixels, in any order."""
    return hashlib.sha256("".join(sorted(f"{one.digest} {one.mark}\n" for one in said)).encode()).hexdigest()
