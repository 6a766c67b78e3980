"""Rows that say of each image how anomalous it is: in memory, as CSV or as Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import Calibration
from amiss.calibration.notebook import columns_html
from amiss.contracts import InputError, WorkError
from amiss.data.atomic import sync_folder, temporary_for

if TYPE_CHECKING:
    import pandas

_Number = TypeVar("_Number", bound=np.generic)

SUFFIXES = (".csv", ".parquet")


class ScoreRow(NamedTuple):
    """One image's row; the decision's columns are None where there is nothing to decide by."""

    image_path: str
    pred_score: float
    p_value: float | None
    normal_percentile: float | None
    pred_label: int | None


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Columns (N,) of a scoring run; `terms` holds the parts of the score by name where they were asked for."""

    image_path: Sequence[str]
    pred_score: NDArray[np.float64]
    """Higher = more anomalous."""
    p_value: NDArray[np.float64] | None
    """Share of normals that score at least as high, in (0, 1]; small = anomalous."""
    normal_percentile: NDArray[np.float64] | None
    """Percentage of calibration normals that score lower, in [0, 100]."""
    pred_label: NDArray[np.int64] | None
    """1 anomalous, 0 normal; None without a threshold."""
    terms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    model: Sequence[str] | None = None
    """Which model scored each image, where there are several."""

    def __len__(self) -> int:
        return len(self.image_path)

    def __iter__(self) -> Iterator[ScoreRow]:
        for i, path in enumerate(self.image_path):
            yield ScoreRow(
                path,
                float(self.pred_score[i]),
                None if self.p_value is None else float(self.p_value[i]),
                None if self.normal_percentile is None else float(self.normal_percentile[i]),
                None if self.pred_label is None else int(self.pred_label[i]),
            )

    def __repr__(self) -> str:
        shown = [str(row) for row in list(self)[:5]]
        more = [f"... {len(self) - 5:,} more"] if len(self) > 5 else []
        return "\n".join([f"ScoreTable of {len(self):,} images", *shown, *more])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return columns_html(self.columns(), len(self), "images")

    def columns(self) -> dict[str, Sequence[str] | NDArray[np.generic]]:
        """The columns by name, without those that there is nothing to fill with."""
        named = {
            "image_path": self.image_path,
            "pred_score": self.pred_score,
            "p_value": self.p_value,
            "normal_percentile": self.normal_percentile,
            "pred_label": self.pred_label,
            **self.terms,
            "model": self.model,
        }
        return {name: column for name, column in named.items() if column is not None}

    def to_pandas(self) -> pandas.DataFrame:
        """Return a DataFrame; raises InputError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError as error:
            raise InputError('a DataFrame needs pandas: pip install "amiss[table]"') from error
        return pd.DataFrame({name: list(column) for name, column in self.columns().items()})

    def save(self, path: str | Path) -> None:
        """Write CSV or Parquet, by suffix, whole or not at all; raises InputError for another suffix."""
        with table_writer(Path(path)) as writer:
            writer.write(self)


def tabulate(
    names: list[str], scores: NDArray[np.float64], calibration: Calibration, terms: dict[str, NDArray[np.float64]]
) -> ScoreTable:
    """Rows for scores (N,), with whatever the calibration can say of them."""
    known = calibration.n > 0
    return ScoreTable(
        names,
        scores,
        calibration.p_value(scores) if known else None,
        calibration.normal_percentile(scores) if known else None,
        calibration.predict(scores) if calibration.threshold is not None else None,
        terms,
    )


def concatenate(tables: Sequence[ScoreTable]) -> ScoreTable:
    """One table of the rows of several, which have the same columns."""
    return ScoreTable(
        [name for table in tables for name in table.image_path],
        np.concatenate([table.pred_score for table in tables]),
        _join([table.p_value for table in tables]),
        _join([table.normal_percentile for table in tables]),
        _join([table.pred_label for table in tables]),
        {name: np.concatenate([table.terms[name] for table in tables]) for name in tables[0].terms},
        None if tables[0].model is None else [name for table in tables for name in table.model or ()],
    )


def _join(parts: Sequence[NDArray[_Number] | None]) -> NDArray[_Number] | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


class _Sink(Protocol):
    def write(self, table: ScoreTable) -> None: ...
    def close(self) -> None: ...


class TableWriter:
    """Takes tables chunk by chunk into a temporary file, and renames it when all went well."""

    def __init__(self, path: Path, temporary: Path, sink: _Sink) -> None:
        self.path, self.temporary, self.sink = path, temporary, sink

    def write(self, table: ScoreTable) -> None:
        """Append rows; raises WorkError if the disk is full."""
        try:
            self.sink.write(table)
        except OSError as error:
            raise WorkError(f"could not write {self.path}: {error.strerror or error}; nothing was replaced") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.sink.close()
            if kind is None:
                with self.temporary.open("rb") as file:
                    os.fsync(file.fileno())
                self.temporary.replace(self.path)
                sync_folder(self.path.parent)
        except OSError as failure:
            raise WorkError(
                f"could not write {self.path}: {failure.strerror or failure}; nothing was replaced"
            ) from failure
        finally:
            self.temporary.unlink(missing_ok=True)


def table_writer(path: Path) -> TableWriter:
    """Open a writer of CSV or Parquet, by suffix.

    Raises InputError for another suffix, a missing folder, or Parquet without its extra.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot write scores to {path}: its name must end in {' or '.join(SUFFIXES)}")
    temporary = temporary_for(path)
    try:
        sink = _csv(temporary) if path.suffix.lower() == ".csv" else _Parquet(temporary)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another output") from error
    return TableWriter(path, temporary, sink)


def _csv(path: Path) -> CsvRows:
    return CsvRows(path.open("w", newline="", encoding="utf-8", errors="surrogateescape"))


class CsvRows:
    """Rows as CSV, the first ones after their header, in a file that its owner opens and closes."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.rows = csv.writer(file, lineterminator="\n")
        self.started = False

    def write(self, table: ScoreTable) -> None:
        """Append rows."""
        columns = table.columns()
        if not self.started:
            self.rows.writerow(columns)
            self.started = True
        self.rows.writerows(zip(*(_plain(column) for column in columns.values()), strict=True))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _plain(column: Sequence[str] | NDArray[np.generic]) -> Sequence[object]:
    """Python values, whose decimal forms read back as the same floats."""
    return column.tolist() if isinstance(column, np.ndarray) else column


class _Parquet:
    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise InputError(
                'writing Parquet needs pyarrow: pip install "amiss[table]", or name a .csv file'
            ) from error
        self.arrow, self.file = pyarrow, path.open("wb")
        self.writer: pyarrow.parquet.ParquetWriter | None = None

    def write(self, table: ScoreTable) -> None:
        rows = self.arrow.table({name: _plain(column) for name, column in table.columns().items()})
        if self.writer is None:
            self.writer = self.arrow.parquet.ParquetWriter(self.file, rows.schema)
        self.writer.write_table(rows)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.file.close()
