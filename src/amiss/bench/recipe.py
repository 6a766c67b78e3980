"""A recipe: one table or figure of a paper as lines of methods and columns of protocols, hence as cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from amiss.bench.cell import Cell
from amiss.bench.results import Row
from amiss.contracts import Method
from amiss.protocols.task import Protocol

Budget = Literal["quick", "published"]
"""Minutes on two cores, or what the paper took."""


@dataclass(frozen=True)
class Line:
    """One line of a table: a method at two budgets, and which part of its score the numbers are of."""

    label: str
    quick: Method
    published: Method
    term: str | None = None
    """Part of the score; the score itself, if None."""
    printed: str | None = None
    """What the paper calls the line, where it prints it."""
    select: bool = False
    """Whether the epoch is chosen by labelled anomalies, which the label then says."""

    def method(self, budget: Budget) -> Method:
        """Return the method at a budget."""
        return self.quick if budget == "quick" else self.published


@dataclass(frozen=True)
class Column:
    """One column of a table: the protocols that its number is taken over, one for most columns, all for a mean."""

    label: str
    protocols: tuple[Protocol, ...]
    trial: str | None = None
    """Which trial of the protocols; the first, if None."""
    printed: str | None = None
    """What the paper calls the column, where it prints it."""
    eps: float | None = None
    """Radius of an attack on the normal test images."""


Value = Callable[[Sequence[Row], Line, Column], float | None]
"""A column's number for one seed, from the rows of its protocols; None where they do not hold it."""


@dataclass(frozen=True)
class Source:
    """Where the printed numbers stand: the keys of the records."""

    paper: str
    table: str
    dataset: str
    metric: str


@dataclass(frozen=True)
class Recipe:
    """A table or figure: what is run for it, and how its numbers come from the rows."""

    name: str
    """Such as gradcon-t3."""
    title: str
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    value: Value
    metric: str
    """What the numbers are, in words, with the positive class and the threshold's rule where there is one."""
    printed: Source | None = None
    seeds: int = 3
    attack: tuple[float, ...] = ()
    curve: int = 0
    note: str = ""
    """How this differs from what the paper did, in words."""

    def cell(self, line: Line, protocol: Protocol, seed: int, budget: Budget) -> Cell:
        """Return the cell in which a line's number under a protocol is found."""
        return Cell(line.method(budget), protocol, seed, self.attack, self.curve, line.select)

    def cells(self, budget: Budget, seeds: int | None = None) -> tuple[Cell, ...]:
        """Return every cell once, in the order in which to run them: all of a seed before the next."""
        every = (
            self.cell(line, protocol, seed, budget)
            for seed in range(self.seeds if seeds is None else seeds)
            for line in self.lines
            for column in self.columns
            for protocol in column.protocols
        )
        return tuple({cell.key: cell for cell in every}.values())

    def only(self, words: Sequence[str]) -> Recipe:
        """Return the recipe with the lines and columns whose label holds a word, where one does."""

        def chosen(labels: Iterator[str]) -> set[str]:
            every = list(labels)
            found = {label for label in every if any(word.lower() in label.lower() for word in words)}
            return found or set(every)

        lines = chosen(line.label for line in self.lines)
        columns = chosen(column.label for column in self.columns)
        return replace(
            self,
            lines=tuple(line for line in self.lines if line.label in lines),
            columns=tuple(column for column in self.columns if column.label in columns),
        )


def auroc(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over protocols: of the line's part of the score, on the column's trial."""
    return mean([trial_value(row, column.trial, line.term) for row in rows])


def attacked(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over protocols where the normal test images are attacked within the column's radius."""
    return mean([_attacked(row, column.eps) for row in rows])


def metric(name: str) -> Value:
    """Return the value of another metric of a trial, such as image_AUPR_out, as a mean over protocols."""

    def value(rows: Sequence[Row], line: Line, column: Column) -> float | None:
        return mean([_number(trial_of(row, column.trial), name) for row in rows])

    return value


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of values, None if one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def trial_of(row: Row, trial: str | None) -> dict[str, object]:
    """Return the metrics of a trial, the first if None; empty where the row has none of that name."""
    trials = row.get("trials")
    if not isinstance(trials, dict) or not trials:
        return {}
    found = next(iter(trials.values())) if trial is None else trials.get(trial)
    return dict(found) if isinstance(found, dict) else {}


def trial_value(row: Row, trial: str | None, term: str | None) -> float | None:
    """AUROC of a trial, of the score or of a part of it."""
    found = trial_of(row, trial)
    if term is None:
        return _number(found, "image_AUROC")
    parts = found.get("terms_auroc")
    return _number(parts, term) if isinstance(parts, dict) else None


def _attacked(row: Row, eps: float | None) -> float | None:
    found = row.get("attacked")
    for entry in found if isinstance(found, list) else []:
        if isinstance(entry, dict) and entry.get("eps") == (eps or 0.0):
            return _number(entry, "auroc")
    return None


def _number(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
