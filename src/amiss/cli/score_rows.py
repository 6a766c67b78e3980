"""Where the rows of `amiss score` go, and what is counted on the way."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from amiss.calibration.table import CsvRows, ScoreTable, table_writer
from amiss.data.images import Kind, Skipped
from amiss.data.stream import Chunk


class RowWriter(Protocol):
    """Takes rows as they come."""

    def write(self, table: ScoreTable) -> None:
        """Append rows."""


@dataclass
class Seen:
    """What the summary tells of the images that have passed."""

    scored: int = 0
    anomalous: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, table: ScoreTable, chunk: Chunk) -> None:
        """Count a chunk and its rows."""
        self.scored += len(table)
        self.anomalous += 0 if table.pred_label is None else int(table.pred_label.sum())
        self.kinds.update(chunk.kinds)
        self.skipped += chunk.skipped


@contextmanager
def row_writer(out: Path | None) -> Iterator[RowWriter]:
    """Open a table, whole or absent in the end, or standard output."""
    if out is None:
        yield CsvRows(sys.stdout)
        return
    with table_writer(out) as writer:
        yield writer
