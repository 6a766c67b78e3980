"""Result files: JSON lines, one a cell, appended whole; files of several machines read as one table, in any order."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amiss.bench.cell import Cell, canonical, from_json
from amiss.contracts import InputError, WorkError
from amiss.data.atomic import sync_folder
from amiss.evaluation.result import Json

if sys.platform != "win32":
    import fcntl

Row = dict[str, Json]
"""What is known of a finished cell; its settings stand under `cell`."""

UNTRAINED = "none to choose"
"""The rule for the epoch of what keeps images or solves equations instead of training: it logs no loss."""


@dataclass(frozen=True)
class Results:
    """Finished cells by key, and what could not be used."""

    rows: Mapping[str, Row]
    stale: tuple[str, ...] = ()
    """Sentences about rows whose method or protocol is not known any more."""
    cells: Mapping[str, Cell] = field(default_factory=dict)
    """The cell of each key."""

    def failed(self, key: str) -> str | None:
        """Why the cell of that key could not be finished, where it was tried in vain."""
        error = self.rows.get(key, {}).get("error")
        return None if error is None else str(error)


def read(paths: Iterable[Path]) -> Results:
    """Read result files and the `.jsonl` files of folders; of rows with one key, the first finished counts.

    A last line without its end, which a killed process leaves, is no row. Raises InputError for any other line that is
    not a JSON object.
    """
    rows: dict[str, Row] = {}
    cells: dict[str, Cell] = {}
    stale: list[str] = []
    for path in files(paths):
        for number, line in enumerate(_lines(path), 1):
            row = _row(line, path, number)
            settings = row.get("cell")
            try:
                cell = from_json(settings if isinstance(settings, dict) else {})
            except InputError as error:
                stale.append(f"{path}, line {number}: {error}")
                continue
            cells[cell.key] = cell
            rows[cell.key] = row if cell.key not in rows else min(row, rows[cell.key], key=_rank)
    return Results(dict(sorted(rows.items())), tuple(stale), cells)


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the result files themselves and those in folders, sorted; a folder that is not there has none."""
    found: set[Path] = set()
    for path in paths:
        found |= {path} if path.is_file() else set(path.glob("*.jsonl"))
    return sorted(found)


def append(path: Path, row: Row) -> None:
    """Add a row to a file as one line, on disk when this returns; a broken last line before it is cut off.

    Raises WorkError if the disk refuses.
    """
    data = (canonical(row) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            _cut_broken(path, file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise WorkError(
            f"{path} cannot be written: {error.strerror}; the cell's result is lost, run it again"
        ) from error


def _cut_broken(path: Path, descriptor: int) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        os.ftruncate(descriptor, whole)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a result file: {error}") from error
    whole, _, _broken = text.rpartition("\n")
    return whole.split("\n") if whole else []


def _row(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{path}, line {number} is not JSON ({error}): a result file has one object a line") from error
    if not isinstance(row, dict):
        raise InputError(f"{path}, line {number} is not an object: a result file has one object a line")
    return row


def _rank(row: Row) -> tuple[bool, str, str]:
    """A result before a failure, the earlier before the later, and then any fixed order."""
    return "error" in row, str(row.get("finished")), canonical(row)
