"""Tables that list images: CSV, Parquet, or any DataFrame, with a column `image_path`."""

from __future__ import annotations

import csv
import importlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from amiss.plain import InputError

PATH, GROUP, LABEL = "image_path", "group", "label"
TABLE_SUFFIXES = (".csv", ".parquet", ".pq")
_LABELS = {"0": False, "0.0": False, "normal": False, "1": True, "1.0": True, "anomalous": True}


@runtime_checkable
class Frame(Protocol):
    """What is used of a pandas DataFrame, so that pandas need not be installed."""

    @property
    def columns(self) -> Iterable[object]:
        """The column names."""

    def __getitem__(self, name: str, /) -> Iterable[object]: ...


@dataclass(frozen=True)
class Rows:
    """One entry per image: its path as given, its group, and whether it is labelled anomalous."""

    paths: list[str]
    groups: list[str] | None
    anomalous: list[bool] | None


def is_table(path: str) -> bool:
    """Tell whether a file name ends like a table."""
    return path.lower().endswith(TABLE_SUFFIXES)


def read_table(source: str | Frame, group_by: str | None = None) -> Rows:
    """Read image paths, and groups and labels where the table has them.

    Args:
        source: The path of a CSV or Parquet file, or a DataFrame.
        group_by: The column with the groups; `group` by default, if there is one.

    Raises:
        InputError: If the table cannot be read, is empty, lacks a column, or has an unusable value.
    """
    name = f"'{source}'" if isinstance(source, str) else "the DataFrame"
    columns, values = _open(source, name, [PATH, group_by or GROUP, LABEL])
    for needed in (PATH, *([] if group_by is None else [group_by])):
        if needed not in columns:
            raise InputError(f"{name} has no column '{needed}'; its columns are {', '.join(columns) or 'none'}")
    if not values[PATH]:
        raise InputError(f"{name} has no rows; give one for each image")
    paths = [_path(value, row, name) for row, value in enumerate(values[PATH], 1)]
    groups, labels = values.get(group_by or GROUP), values.get(LABEL)
    return Rows(
        paths,
        None if groups is None else [_group(value, row, name) for row, value in enumerate(groups, 1)],
        None if labels is None else [_label(value, row, name) for row, value in enumerate(labels, 1)],
    )


def _open(source: str | Frame, name: str, wanted: Sequence[str]) -> tuple[list[str], dict[str, list[object]]]:
    """Return all column names, and the values of those that are wanted and there."""
    if not isinstance(source, str):
        columns = [str(column) for column in source.columns]
        return columns, {column: list(source[column]) for column in wanted if column in columns}
    if source.lower().endswith(".csv"):
        return _open_csv(source, name, wanted)
    return _open_parquet(source, name, wanted)


def _open_csv(path: str, name: str, wanted: Sequence[str]) -> tuple[list[str], dict[str, list[object]]]:
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            columns = next(lines, [])
            values: dict[str, list[object]] = {column: [] for column in wanted if column in columns}
            places = [(values[column], columns.index(column)) for column in values]
            row = 0
            for fields in lines:
                if not fields:  # a blank line
                    continue
                row += 1
                if len(fields) != len(columns):
                    raise InputError(f"{name} has {len(fields)} fields in row {row}; its header has {len(columns)}")
                for column, place in places:
                    column.append(fields[place])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} cannot be read as comma-separated UTF-8 text: {error}") from error
    return columns, values


def _open_parquet(path: str, name: str, wanted: Sequence[str]) -> tuple[list[str], dict[str, list[object]]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(f'{name} is a Parquet file; reading it needs: pip install "amiss[table]"') from error
    try:
        columns: list[str] = parquet.read_schema(path).names
        found = [column for column in wanted if column in columns]
        table = parquet.read_table(path, columns=found)
        return columns, {column: table[column].to_pylist() for column in found}
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise InputError(f"{name} cannot be read as Parquet: {error}") from error


def _path(value: object, row: int, name: str) -> str:
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
    if not isinstance(path, str) or not path.strip():
        raise InputError(f"{name} has no usable {PATH} in row {row} ({value!r}); each row needs the path of an image")
    return path


def _group(value: object, row: int, name: str) -> str:
    text = value if isinstance(value, str) else str(value)
    if not text.strip() or (not isinstance(value, str) and text in ("None", "nan", "NaN", "<NA>", "NaT")):
        raise InputError(f"{name} has no group in row {row}; where images are grouped, each needs a group")
    return text


def _label(value: object, row: int, name: str) -> bool:
    anomalous = _LABELS.get(str(value).strip().lower())
    if anomalous is None:
        raise InputError(f"{name} has the {LABEL} {value!r} in row {row}; accepted are 0, 1, normal and anomalous")
    return anomalous
