"""Image files below one folder or inside one zip archive, which is read in place: nothing is ever extracted."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from amiss.contracts import InputError
from amiss.data.folder import IMAGE_SUFFIXES, Others, walk

LARGEST_MEMBER = 64 << 20
"""Bytes: a member of an archive that claims to be longer is refused."""


class Tree(ABC):
    """Files by their path from the tree's root, with forward slashes."""

    path: str
    """The folder or the archive."""

    @abstractmethod
    def names(self, under: str = "") -> list[str]:
        """Return the image files below `under`, sorted; InputError where a folder cannot be listed."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file; InputError if it is missing or cannot be read."""

    def where(self, name: str) -> str:
        """Return what errors call a file."""
        return str(Path(self.path, name))

    def lines(self, name: str) -> list[str] | None:
        """Return the lines of a text file that are not empty, or None where there is no such file."""
        if not self.holds(name):
            return None
        with self.open(name) as file:
            try:
                text = file.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise InputError(f"{self.where(name)} is not a text file in UTF-8") from error
        return [line for line in text.splitlines() if line.strip()]

    @abstractmethod
    def holds(self, name: str) -> bool:
        """Tell whether there is a file of that name."""


class Folder(Tree):
    """The files of a folder; hidden ones are left out."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def names(self, under: str = "") -> list[str]:
        """List the folder."""
        if not Path(self.path, under).is_dir():
            return []
        return sorted(name.replace(os.sep, "/") for name in walk(self.path, under, True, Others()))

    def open(self, name: str) -> BinaryIO:
        """Open the file."""
        try:
            return Path(self.path, name).open("rb")
        except OSError as error:
            raise InputError(f"{self.where(name)} cannot be opened: {error.strerror}") from error

    def holds(self, name: str) -> bool:
        """Ask the file system."""
        return Path(self.path, name).is_file()


class Archive(Tree):
    """The regular members of a zip archive below the folder `top` inside it."""

    def __init__(self, path: Path, file: zipfile.ZipFile, top: str) -> None:
        self.path = str(path)
        self._file = file
        self._members = {
            info.filename.removeprefix(f"{top}/"): info
            for info in file.infolist()
            if info.filename.startswith(f"{top}/") and _is_regular(info)
        }

    def names(self, under: str = "") -> list[str]:
        """Look into the table of contents."""
        start = f"{under}/" if under else ""
        return sorted(
            name for name in self._members if name.startswith(start) and Path(name).suffix.lower() in IMAGE_SUFFIXES
        )

    def open(self, name: str) -> BinaryIO:
        """Read the member into memory."""
        info = self._members.get(name)
        if info is None:
            raise InputError(f"{self.path} holds no {name}")
        if info.file_size > LARGEST_MEMBER:
            raise InputError(
                f"{self.where(name)} claims {info.file_size:,} bytes; accepted are up to {LARGEST_MEMBER:,}"
            )
        try:
            with self._file.open(info) as member:
                return io.BytesIO(member.read(info.file_size))  # never more than announced, whatever is packed
        except _DAMAGE as error:
            raise InputError(f"{self.where(name)} cannot be read: {error}") from error

    def holds(self, name: str) -> bool:
        """Look into the table of contents."""
        return name in self._members


_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def _is_regular(info: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a file and not a folder, a link or anything else that a Unix archive can hold."""
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


@contextmanager
def opened_archive(path: Path, top: str) -> Iterator[Tree]:
    """Open a zip archive, as the tree below its folder `top`; raises InputError if it is damaged."""
    try:
        file = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise InputError(f"{path} cannot be read as a zip archive: {error}") from error
    with file:
        yield Archive(path, file, top)
