"""A recipe: one table or figure of a paper as lines of methods and columns of protocols, hence as cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from amiss import catalog
from amiss.bench.cell import Cell
from amiss.bench.results import Row
from amiss.contracts import Method
from amiss.protocols.task import Protocol

Budget = Literal["quick", "published"]
"""Minutes on two cores, or what the paper took."""

CLASSICAL = ("knn", "pca", "kde", "ocsvm")
"""Methods that take seconds: their cells run first."""


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
    own: bool = False
    """Whether this is the method that the table is about."""
    select: bool = False
    """Whether the epoch is chosen by labelled anomalies, which the label then says."""
    curve: int = 0
    """How many of the last epochs' AUROC are recorded at the published budget."""
    value: Value | None = None
    """How its numbers come about, if otherwise than the group's."""
    less: Line | None = None
    """A line whose numbers are subtracted, seed by seed."""

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
    term: str | None = None
    """Part of the score, where the column and not the line names it."""
    at: float | None = None
    """A setting that the numbers depend on, such as the radius of an attack."""


@dataclass(frozen=True)
class Source:
    """Where the printed numbers stand: the keys of the records."""

    paper: str
    table: str
    dataset: str
    metric: str


Value = Callable[[Sequence[Row], Line, Column], float | None]
"""A column's number for one seed, from the rows of its protocols; None where they do not hold it."""


@dataclass(frozen=True)
class Group:
    """Lines and columns that are shown together."""

    label: str
    """Such as a data set; empty where a recipe has one group only."""
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    value: Value
    metric: str
    """What the numbers are, in words, with the positive class and the threshold's rule where there is one."""
    printed: Source | None = None
    beside: tuple[Source, ...] = ()
    """Numbers that are not of this table but of the same columns, such as reruns by readers."""
    better: Literal["higher", "lower", "neither"] = "higher"
    """Which numbers are better."""
    decimals: int = 3
    """Of the numbers when they are written and compared."""
    controls: bool = True
    """Whether the numbers are AUROC, so that those of the trivial controls can stand beside them."""


@dataclass(frozen=True)
class Recipe:
    """A table or figure: what is run for it, and how its numbers come from the rows."""

    name: str
    """Such as gradcon-t3."""
    title: str
    groups: tuple[Group, ...] = ()
    """None for a figure that is a picture, which the note then says."""
    seeds: int = 3
    attack: tuple[float, ...] = ()
    """Radii within which normal test images are attacked."""
    computed: bool = False
    """Whether the numbers come from the methods themselves, so that no cell is run."""
    note: str = ""
    """How this differs from what the paper did, in words."""
    also: tuple[Cell, ...] = ()
    """Cells at any budget, beside those of lines and columns."""

    def cell(self, line: Line, protocol: Protocol, seed: int, budget: Budget) -> Cell:
        """Return the cell in which a line's number under a protocol is found."""
        curve = line.curve if budget == "published" else 0
        return Cell(line.method(budget), protocol, seed, self.attack, curve, line.select)

    def cells(self, budget: Budget, seeds: int | None = None) -> tuple[Cell, ...]:
        """Return every cell once, in the order in which to run them: seed by seed, and the cheap ones first."""
        n = self.seeds if seeds is None else seeds
        every = [cell for cell in self.also if cell.seed < n]
        lines = [] if self.computed else [(group, line) for group in self.groups for line in group.lines]
        for seed in range(n):
            for group, line in sorted(lines, key=lambda pair: _costly(pair[1].method(budget))):
                for column in group.columns:
                    for each in (line, line.less) if line.less else (line,):
                        every += [self.cell(each, protocol, seed, budget) for protocol in column.protocols]
        return tuple({cell.key: cell for cell in every}.values())

    def only(self, words: Sequence[str]) -> Recipe:
        """Return the recipe with the lines, columns and groups in whose label a word stands, where one does."""

        def chosen(labels: Iterator[str]) -> set[str]:
            every = list(labels)
            found = {label for label in every if any(word.lower() in label.lower() for word in words)}
            return found or set(every)

        lines = chosen(line.label for group in self.groups for line in group.lines)
        columns = chosen(column.label for group in self.groups for column in group.columns)
        groups = chosen(group.label for group in self.groups)
        kept = (
            replace(
                group,
                lines=tuple(line for line in group.lines if line.label in lines),
                columns=tuple(column for column in group.columns if column.label in columns),
            )
            for group in self.groups
            if group.label in groups
        )
        return replace(self, groups=tuple(group for group in kept if group.lines and group.columns))


def _costly(method: Method) -> bool:
    return catalog.family(method) not in CLASSICAL


def auroc(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over protocols: of the line's or the column's part of the score, on the column's trial."""
    return mean([trial_value(row, column.trial, column.term or line.term) for row in rows])


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
        return number(found, "image_AUROC")
    parts = found.get("terms_auroc")
    return number(parts, term) if isinstance(parts, dict) else None


def number(values: Mapping[str, object], name: str) -> float | None:
    """Return a value if it is a number."""
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
