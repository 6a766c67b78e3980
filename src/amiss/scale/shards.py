"""Input cut into shards: what is done, or done again, as one piece, and is one file of the output."""

from __future__ import annotations

import json
import platform
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from amiss.data.folder import IMAGE_SUFFIXES
from amiss.plain import InputError, WorkError

if TYPE_CHECKING:
    from amiss.data.store import OnBad

MOST_BYTES = 1 << 30
"""Bytes of one image inside a tar or Parquet file; a larger one is not read."""

ROWS = 64
"""Images that are taken out of a Parquet file at once."""


class Encoded(NamedTuple):
    """An image that is not decoded yet: a file's path, or bytes, or what is wrong with it."""

    name: str
    path: str = ""
    data: bytes | None = None
    problem: str = ""


class Shard(ABC):
    """Images in a fixed order."""

    @abstractmethod
    def images(self) -> Iterator[Encoded]:
        """Yield them, a few at a time in memory; raises WorkError where this machine has no such file."""

    def to_bytes(self) -> bytes:
        """Serialize, small enough for millions of names."""
        fields = json.dumps({"kind": type(self).__name__, **asdict(self)})  # type: ignore[call-overload]  # a dataclass
        return zlib.compress(fields.encode(), 1)


@dataclass(frozen=True)
class Files(Shard):
    """Image files: what results call them, and where they are."""

    names: list[str]
    paths: list[str]

    def images(self) -> Iterator[Encoded]:
        """Yield the paths."""
        for name, path in zip(self.names, self.paths, strict=True):
            yield Encoded(name, path)


@dataclass(frozen=True)
class Archive(Shard):
    """A WebDataset shard: a tar file, whose images are the members with an image's extension."""

    name: str
    path: str

    def images(self) -> Iterator[Encoded]:
        """Yield the members in the archive's order; a damaged archive ends with what is wrong with it."""
        _require_here(self.path)
        try:
            with tarfile.open(self.path, "r|*") as archive:
                for member in archive:
                    if member.isreg() and is_image(member.name):
                        yield self._member(archive, member)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            yield Encoded(self.name, problem=f"'{self.path}' cannot be read as a tar file: {error}")

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Encoded:
        name = f"{self.name}/{member.name.removeprefix('./')}"
        file = archive.extractfile(member)
        if file is None or member.size > MOST_BYTES:
            return Encoded(name, problem=f"'{name}' has {member.size:,} bytes; the limit for one image is 1 GiB")
        return Encoded(name, data=file.read())


@dataclass(frozen=True)
class RowGroup(Shard):
    """A row group of a Parquet file with the bytes of images in a column; `start` is the number of its first row."""

    name: str
    path: str
    group: int
    start: int
    column: str

    def images(self) -> Iterator[Encoded]:
        """Yield the rows, named by image_path, or by the path beside the bytes, or by the row's number."""
        _require_here(self.path)
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                wanted = [self.column, *([PATH] if PATH in file.schema_arrow.names else [])]
                row = self.start
                for batch in file.iter_batches(batch_size=ROWS, row_groups=[self.group], columns=wanted):
                    names = batch.column(PATH).to_pylist() if len(wanted) > 1 else [None] * batch.num_rows
                    for name, value in zip(names, batch.column(self.column).to_pylist(), strict=True):
                        yield self._row(row, name, value)
                        row += 1
        except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
            yield Encoded(self.name, problem=f"'{self.path}' cannot be read as Parquet: {error}")

    def _row(self, row: int, name: object, value: object) -> Encoded:
        held = value if isinstance(value, dict) else {BYTES: value}
        name = str(name or held.get("path") or f"{self.name}#{row}")
        data = held.get(BYTES)
        if not isinstance(data, bytes):
            return Encoded(name, problem=f"'{self.path}' has no image in row {row}")
        return Encoded(name, data=data)


PATH, BYTES = "image_path", "bytes"

KINDS: dict[str, type[Shard]] = {kind.__name__: kind for kind in (Files, Archive, RowGroup)}


def from_bytes(data: bytes) -> Shard:
    """Read what `Shard.to_bytes` made."""
    fields = json.loads(zlib.decompress(data))
    return KINDS[fields.pop("kind")](**fields)


@dataclass(frozen=True)
class Task:
    """A shard, its number, and the name of the model that scores it."""

    number: int
    shard: Shard
    model: str = ""


@dataclass(frozen=True)
class How:
    """What is asked for of every shard."""

    terms: bool = False
    on_bad: OnBad = "stop"
    threads: int | None = None
    """Threads that decode; one for each processor, if None."""


def is_image(member: str) -> bool:
    """Tell whether a member of a WebDataset shard is an image: `0001.jpg` is, `0001.mask.png` is another part of it."""
    base = member.rpartition("/")[2]
    return not base.startswith(".") and f".{base.partition('.')[2]}".lower() in IMAGE_SUFFIXES


def _require_here(path: str) -> None:
    if not Path(path).exists():
        raise WorkError(missing(path))


def missing(path: str) -> str:
    """Say that this machine lacks a file that the one which began the work has."""
    return (
        f"{platform.node()} has no file '{path}': machines read images from their own disks, so give a folder that all "
        "of them have at the same path"
    )


def require_text(name: str) -> str:
    """Return a name that Parquet can hold; raises InputError for one that is not valid text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{name!r} is not valid UTF-8, and Parquet holds no other names: rename it") from error
    return name
