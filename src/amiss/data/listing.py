"""What images there are, in which order, and what each is for, before any of them is opened."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amiss.data.folder import Others, Part, parts, walk
from amiss.data.packed import PackedText
from amiss.data.table import Frame, is_table, read_table
from amiss.plain import InputError

PathLike = str | os.PathLike[str]
FileSource = PathLike | Sequence[PathLike] | Frame
"""A folder, one image, a list of images, a CSV or Parquet file, or a DataFrame."""


@dataclass(frozen=True, eq=False)
class Listing:
    """N image files in a fixed order, each with its role.

    `names` is what results call them, `paths` where they are. `anomalous` and `test` are (N,) bool; `test` marks those
    that a data set (MVTec) set apart. `groups`, where given, must not be separated. `lines` say what went where.
    """

    root: str
    names: Sequence[str]
    paths: Sequence[str]
    anomalous: NDArray[np.bool_]
    test: NDArray[np.bool_]
    groups: Sequence[str] | None = None
    lines: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def describe(self) -> list[str]:
        """Return lines that say which files went where."""
        return list(self.lines)

    def part(self, role: Literal["normal", "anomalous"], *, test: bool | None = None) -> Listing:
        """Return the files of one role; `test` asks for those set apart for testing, or for the others."""
        chosen = self.anomalous if role == "anomalous" else ~self.anomalous
        return self.select(np.flatnonzero(chosen if test is None else chosen & (self.test == test)))

    def normal(self) -> Listing:
        """Return the normal files to fit on: without those set apart for testing.

        Raises:
            InputError: If there are none.
        """
        found = self.part("normal", test=False)
        if not len(found):
            raise InputError(
                f"'{self.root}' lists no normal images to fit on; all {len(self)} are anomalous or for testing"
            )
        return found

    def select(self, index: NDArray[np.int64]) -> Listing:
        """Return the files at `index` (B,), in that order."""
        names = _take(self.names, index)
        paths = names if self.paths is self.names else _take(self.paths, index)
        groups = None if self.groups is None else [self.groups[i] for i in index]
        return Listing(self.root, names, paths, self.anomalous[index], self.test[index], groups, self.lines)

    def stamps(self) -> Iterator[bytes]:
        """Yield for each file what changes when it does: name, group, size in bytes and time of change."""
        for i, (name, path) in enumerate(zip(self.names, self.paths, strict=True)):
            try:
                status = Path(path).stat()
                state = f"{status.st_size}\0{status.st_mtime_ns}"
            except OSError:  # it is gone; decoding names it, here it only has to differ
                state = "absent"
            group = "" if self.groups is None else self.groups[i]
            yield f"{name}\0{group}\0{state}\n".encode("utf-8", "surrogateescape")

    def fingerprint(self) -> str:
        """Return the SHA-256, in hexadecimal, of all stamps: it differs when files are added, removed or changed."""
        sha = hashlib.sha256()
        for stamp in self.stamps():
            sha.update(stamp)
        return sha.hexdigest()


def list_images(
    source: FileSource, *, recursive: bool = False, group_by: str | None = None, roles: bool = True
) -> Listing:
    """List the images of `source` and apply the folder rules of docs/data-in.md.

    Args:
        source: A folder, one image, a list of images, a CSV or Parquet file, or a DataFrame with `image_path`.
        recursive: Take the images of all subfolders as normal where none is named good, normal or ok.
        group_by: For tables a column; else a regular expression, searched in the path (relative to the folder), whose
            first group, or whole match, names the image's group.
        roles: Without, every image is taken, whatever its folder is called (scoring); only `recursive` then decides
            whether subfolders are read.

    Raises:
        InputError: If there is nothing to read, a file is missing, or it is unclear which images are normal.
    """
    if isinstance(source, Frame):
        return _list_table(source, "the DataFrame", Path(), group_by)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if Path(path).is_dir():
            return _list_folder(path, recursive, roles, group_by)
        if not Path(path).exists():
            raise InputError(f"'{path}' does not exist; give a folder, an image, a list of images or a table")
        if is_table(path):
            return _list_table(path, path, Path(path).parent, group_by)
        return _list_paths([path], path, group_by)
    if not isinstance(source, Sequence):
        raise InputError(
            f"a {type(source).__name__} cannot be listed; give a folder, an image, a list of images or a table"
        )
    return _list_paths(source, f"the list of {len(source)} paths", group_by)


def _list_folder(root: str, recursive: bool, roles: bool, group_by: str | None) -> Listing:
    others = Others()
    found = parts(root, recursive=recursive, roles=roles)
    counts = [0] * len(found)

    def relative() -> Iterator[str]:
        for i, part in enumerate(found):
            for path in walk(root, part.path, part.deep, others):
                counts[i] += 1
                yield path

    prefix = str(Path(root, "_"))[:-1]
    names = PackedText.pack(relative(), prefix)
    groups = _groups((name.removeprefix(prefix) for name in names), group_by)
    anomalous, test = (np.repeat(np.array(flags, bool), counts) for flags in zip(*_flags(found), strict=True))
    lines = _folder_lines(root, found, counts, roles)
    if others.count:
        lines.append(f"{root}: {others.count} other files passed over, such as {others.example}")
    return Listing(root, names, names, anomalous, test, groups, tuple(lines))


def _flags(found: Iterable[Part]) -> Iterator[tuple[bool, bool]]:
    return ((part.anomalous, part.test) for part in found)


def _folder_lines(root: str, found: Sequence[Part], counts: Sequence[int], roles: bool) -> list[str]:
    if len(found) > 1 and not any(part.anomalous or part.test for part in found):
        return [f"{root}: {sum(counts)} images in {len(found)} folders{', all taken as normal' if roles else ''}"]
    return [
        f"{Path(root, part.path)}: {_images(count)}"
        + (f", {'anomalous' if part.anomalous else 'normal'}{', for testing' if part.test else ''}" if roles else "")
        for part, count in zip(found, counts, strict=True)
    ]


def _list_paths(source: Sequence[PathLike], name: str, group_by: str | None) -> Listing:
    if not len(source):
        raise InputError("the list of paths is empty; give one path for each image")
    for i, path in enumerate(source):
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(
                f"entry {i} of the list is a {type(path).__name__}; accepted are paths of images, "
                "or one array of all images"
            )
        if not Path(path).is_file():
            kind = "is a folder" if Path(path).is_dir() else "is no file" if Path(path).exists() else "does not exist"
            raise InputError(f"entry {i} of the list, '{os.fspath(path)}', {kind}; accepted are paths of images")
    names = PackedText.pack(os.fspath(path) for path in source)
    everything = np.zeros(len(names), bool)
    line = f"{name}: {_images(len(names))}, normal"
    return Listing(name, names, names, everything, everything, _groups(names, group_by), (line,))


def _list_table(source: str | Frame, name: str, folder: Path, group_by: str | None) -> Listing:
    rows = read_table(source, group_by)
    paths = PackedText.pack(str(folder / path) for path in rows.paths)
    for row, path in enumerate(paths, 1):
        if not Path(path).is_file():
            raise InputError(f"{name} names '{path}' in row {row}, and there is no such file")
    anomalous = np.array(rows.anomalous or [False] * len(paths), bool)
    line = f"{name}: {len(paths)} rows, {len(paths) - anomalous.sum()} normal and {anomalous.sum()} anomalous"
    names = PackedText.pack(rows.paths)
    return Listing(name, names, paths, anomalous, np.zeros(len(paths), bool), rows.groups, (line,))


def _groups(paths: Iterable[str], pattern: str | None) -> list[str] | None:
    """Name the group of each path by a regular expression; equal names share one string."""
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"group_by '{pattern}' is not a regular expression: {error}") from error
    known: dict[str, str] = {}
    groups = []
    for path in paths:
        match = expression.search(path.replace(os.sep, "/"))
        group = None if match is None else match.group(1 if expression.groups else 0)
        if group is None:
            raise InputError(f"group_by '{pattern}' does not match '{path}'; it has to match every image")
        groups.append(known.setdefault(group, group))
    return groups


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _take(texts: Sequence[str], index: NDArray[np.int64]) -> Sequence[str]:
    return texts.take(index) if isinstance(texts, PackedText) else [texts[i] for i in index]
