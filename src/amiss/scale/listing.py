"""Finds the shards of a source: files by count, WebDataset archives one by one, Parquet by its row groups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from amiss.data.folder import Others, walk
from amiss.data.listing import Listing, list_images
from amiss.plain import InputError
from amiss.scale.shards import BYTES, PATH, Archive, Encoded, Files, RowGroup, Shard, require_text

TARS = (".tar", ".tar.gz", ".tgz")
PARQUETS = (".parquet", ".pq")
COLUMNS = ("image", "image_bytes", "bytes", "jpg", "png")
"""Columns of a Parquet file in which the bytes of images are looked for, in this order."""


@dataclass(frozen=True, eq=False)
class Shards:
    """The shards of a source, always the same for the same source.

    `images` is how many there are, 0 where that is known only afterwards; `fingerprint` differs when a file is added,
    removed or changed; `lines` say what was found; `size` is how many image files a shard has, 0 for packed images.
    """

    shards: Sequence[Shard]
    images: int
    fingerprint: str
    lines: tuple[str, ...]
    size: int = 0


@dataclass(frozen=True, eq=False)
class Listed(Shard):
    """Files of a listing, whose names stay packed until the shard is worked on or sent."""

    listing: Listing
    places: range

    def files(self) -> Files:
        """The names, and absolute paths, for another machine or working directory."""
        names, paths = ([texts[i] for i in self.places] for texts in (self.listing.names, self.listing.paths))
        return Files(names, [str(Path(path).absolute()) for path in paths])

    def images(self) -> Iterator[Encoded]:
        """Yield the paths."""
        return self.files().images()

    def to_bytes(self) -> bytes:
        """Serialize as `Files`."""
        return self.files().to_bytes()


def find_shards(source: str | Path, size: int) -> Shards:
    """Find the shards of a folder, image, table, WebDataset or Parquet file; `name-{000..009}.tar` names several.

    size: images per shard, where they are files of their own.
    Raises InputError where there is nothing to read, or it is unclear what.
    """
    if size < 1:
        raise InputError(f"a shard of {size} images is too small: accepted is 1 or more")
    text = str(source)
    if "{" in text and not Path(text).exists():
        return _packed([Path(path) for path in expand(text)], text, size)
    if Path(text).is_dir():
        packed = _packed_in(Path(text))
        return _packed(packed, text, size) if packed else _files([list_images(text, recursive=True, roles=False)], size)
    if text.lower().endswith((*TARS, *PARQUETS)):
        return _packed([Path(text)], text, size)
    return _files([list_images(text, recursive=True, roles=False)], size)


def expand(pattern: str) -> list[str]:
    """Paths that a pattern with one range in braces stands for: `a-{08..10}.tar` is a-08.tar, a-09.tar and a-10.tar.

    Raises InputError for other braces.
    """
    found = re.fullmatch(r"([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)", pattern)
    if found is None or int(found[2]) > int(found[3]):
        raise InputError(f"'{pattern}' is not understood: accepted is one range in braces, such as {{000..099}}")
    width = len(found[2]) if found[2].startswith("0") else 0
    return [f"{found[1]}{i:0{width}}{found[4]}" for i in range(int(found[2]), int(found[3]) + 1)]


def _packed_in(folder: Path) -> list[Path]:
    """The archives or Parquet files of a folder, sorted, if there are any; beside images they are refused."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")) and entry.is_file())
    tars, parquets = ([e for e in entries if e.name.lower().endswith(ends)] for ends in (TARS, PARQUETS))
    if not tars and not parquets:
        return []
    kinds = [f"{len(files)} {kind}" for kind, files in (("tar files", tars), ("Parquet files", parquets)) if files]
    if next(walk(str(folder), "", True, Others()), None) is not None:
        kinds.append("images")
    if len(kinds) > 1:
        raise InputError(f"'{folder}' holds {' and '.join(kinds)}, so it is unclear what to score: give one of them")
    return tars or parquets


def _packed(paths: Sequence[Path], what: str, size: int) -> Shards:
    for path in paths:
        if not path.is_file():
            raise InputError(f"'{path}' does not exist; give files that are there")
    if all(path.name.lower().endswith(TARS) for path in paths):
        shards: list[Shard] = [Archive(require_text(str(path)), str(path.absolute())) for path in paths]
        return Shards(shards, 0, _stamped(paths), (f"{what}: {_counted(len(paths), 'tar file')}",))
    if all(path.name.lower().endswith(PARQUETS) for path in paths):
        return _parquet(paths, what, size)
    raise InputError(f"'{what}' stands for files of several kinds: accepted are all .tar or all .parquet")


def _parquet(paths: Sequence[Path], what: str, size: int) -> Shards:
    require_pyarrow("reading Parquet")
    found = [_column(path) for path in paths]
    if not any(found):
        return _files([list_images(path) for path in paths], size)
    for path, column in zip(paths, found, strict=True):
        if column is None:
            raise InputError(f"'{path}' holds no bytes of images in any of {', '.join(COLUMNS)}, as other files do")
    shards, images = [], 0
    for path, column in zip(paths, found, strict=True):
        start = 0
        for group, rows in enumerate(_row_groups(path)):
            shards.append(RowGroup(require_text(str(path)), str(path.absolute()), group, start, str(column)))
            start += rows
        images += start
    if not images:
        raise InputError(f"'{what}' has no rows; give one for each image")
    line = f"{what}: {images:,} images in {_counted(len(paths), 'Parquet file')}, {_counted(len(shards), 'row group')}"
    return Shards(shards, images, _stamped(paths), (line,))


def _column(path: Path) -> str | None:
    """The column with the bytes of images; None where there are paths only."""
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read as Parquet: {error}") from error
    for name in COLUMNS:
        kind = schema.field(name).type if name in schema.names else None
        if kind is not None and pyarrow.types.is_struct(kind) and kind.get_field_index(BYTES) >= 0:
            kind = kind.field(BYTES).type
        if kind is not None and (pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)):
            return name
    if PATH in schema.names:
        return None
    columns = ", ".join(schema.names)
    raise InputError(f"'{path}' has neither {PATH} nor bytes of images in {', '.join(COLUMNS)}; its columns: {columns}")


def _row_groups(path: Path) -> list[int]:
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(path)
    return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def _files(listings: Sequence[Listing], size: int) -> Shards:
    shards: list[Shard] = []
    for listing in listings:
        for start in range(0, len(listing), size):
            shards.append(Listed(listing, range(start, min(start + size, len(listing)))))
        for name in listing.names:
            require_text(name)
    sha = hashlib.sha256()
    for listing in listings:
        sha.update(listing.fingerprint().encode())
    lines = tuple(line for listing in listings for line in listing.lines)
    return Shards(shards, sum(map(len, listings)), sha.hexdigest(), lines, size)


def _stamped(paths: Iterable[Path]) -> str:
    def stamps() -> Iterator[bytes]:
        for path in paths:
            status = path.stat()
            yield f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode()

    return hashlib.sha256(b"".join(stamps())).hexdigest()


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def require_pyarrow(what: str) -> None:
    """Raise InputError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401  only whether it is there
    except ImportError as error:
        raise InputError(f'{what} needs pyarrow: pip install "amiss[table]"') from error
