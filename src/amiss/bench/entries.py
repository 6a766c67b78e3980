"""Numbers of a recipe's lines and columns from result rows, each with what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from amiss.bench.printed import Printed, find
from amiss.bench.recipe import Budget, Column, Group, Line, Recipe, auroc, mean, number, trial_of
from amiss.bench.results import Results, Row

NOT_RUN = "not run"
FAILED = "failed"
ABSENT = "absent: the rows do not hold this number"
"""What an entry's state begins with, or is."""


@dataclass(frozen=True)
class Entry:
    """One number of a table."""

    line: Line
    column: Column
    value: float | None = None
    """Mean over the seeds that are done."""
    low: float | None = None
    high: float | None = None
    spread: Literal["seeds", "bootstrap", ""] = ""
    """What low and high are of: the seeds, or the test images of one cell (95 % bootstrap interval)."""
    seeds: tuple[int, ...] = ()
    state: str = ""
    """Why there is no value: not run, failed: ..., or how many of its protocols are done."""
    marks: tuple[str, ...] = ()
    """Sentences about labels that were looked at too early."""
    printed: Printed | None = None

    @property
    def readable(self) -> float | None:
        """The printed number, if it can be read without doubt."""
        return None if self.printed is None or self.printed.uncertain else self.printed.value

    @property
    def difference(self) -> float | None:
        """Ours less the printed number."""
        return None if self.value is None or self.readable is None else self.value - self.readable


@dataclass(frozen=True)
class Filled:
    """A group with its numbers, line by line, and the rows that they come from."""

    group: Group
    entries: tuple[tuple[Entry, ...], ...]
    rows: tuple[tuple[Row, ...], ...]
    """Rows of each line."""
    controls: dict[str, tuple[float | None, ...]]
    """AUROC of each control by name, a number for each column."""


@dataclass
class _Found:
    """What the seeds gave for one line in one column."""

    values: dict[int, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


def fill(recipe: Recipe, group: Group, results: Results, budget: Budget, seeds: int | None = None) -> Filled:
    """Look up every number of a group; seeds: how many are looked for, the recipe's if None."""
    n = recipe.seeds if seeds is None else seeds
    entries, rows = [], []
    for line in group.lines:
        keys = {} if recipe.computed else _keys(recipe, group, line, budget, n)
        less = _keys(recipe, group, line.less, budget, n) if line.less else {}
        entries.append(tuple(_entry(recipe, group, line, column, (keys, less), results) for column in group.columns))
        every = (results.rows.get(key) for key in dict.fromkeys(key for found in keys.values() for key in found))
        rows.append(tuple(row for row in every if row is not None and "error" not in row))
    return Filled(group, tuple(entries), tuple(rows), _controls(recipe, group, results, budget))


Keys = dict[tuple[Column, int], list[str]]


def _keys(recipe: Recipe, group: Group, line: Line, budget: Budget, n: int) -> Keys:
    """Keys of the cells of each column and seed."""
    known: dict[tuple[object, int], str] = {}
    found = {}
    for column in group.columns:
        for seed in range(n):
            for protocol in column.protocols:
                if (protocol, seed) not in known:
                    known[protocol, seed] = recipe.cell(line, protocol, seed, budget).key
            found[column, seed] = [known[protocol, seed] for protocol in column.protocols]
    return found


def _entry(
    recipe: Recipe, group: Group, line: Line, column: Column, keys: tuple[Keys, Keys], results: Results
) -> Entry:
    printed = find(group.printed, line.printed, column.printed)
    if recipe.computed:
        return Entry(line, column, group.value((), line, column), printed=printed)
    found = _look(group, line, column, keys[0], results)
    if line.less is not None:
        other = _look(group, line.less, column, keys[1], results)
        found.states += other.states
        found.rows += other.rows
        found.values = {
            seed: value - other.values[seed] for seed, value in found.values.items() if seed in other.values
        }
    if not found.values:
        return Entry(line, column, state=max(found.states, key=_telling, default=NOT_RUN), printed=printed)
    low, high, spread = _spread(group, column, line, found)
    marks = tuple(dict.fromkeys(str(mark) for row in found.rows for mark in _list(row, "marks")))
    values = found.values
    return Entry(line, column, mean(list(values.values())), low, high, spread, tuple(values), "", marks, printed)


def _look(group: Group, line: Line, column: Column, keys: Keys, results: Results) -> _Found:
    found = _Found()
    for (own, seed), wanted in keys.items():
        if own is not column:
            continue
        rows = [results.rows[key] for key in wanted if key in results.rows and "error" not in results.rows[key]]
        if len(rows) < len(wanted):
            found.states.append(_state(wanted, len(rows), results))
            continue
        value = (line.value or group.value)(rows, line, column)
        if value is None:
            found.states.append(ABSENT)
        else:
            found.values[seed] = value
            found.rows += rows
    return found


def _state(wanted: Sequence[str], done: int, results: Results) -> str:
    errors = [error for key in wanted if (error := results.failed(key)) is not None]
    if errors:
        return f"{FAILED}: {errors[0].rstrip('.')}"
    return f"{done} of {len(wanted)}" if done else NOT_RUN


def _telling(state: str) -> tuple[bool, bool]:
    return state.startswith(FAILED), state != NOT_RUN


def _spread(
    group: Group, column: Column, line: Line, found: _Found
) -> tuple[float | None, float | None, Literal["seeds", "bootstrap", ""]]:
    if len(found.values) > 1:
        return min(found.values.values()), max(found.values.values()), "seeds"
    plain = (line.value or group.value) is auroc and not (line.term or column.term or line.less)
    if plain and len(found.rows) == 1:
        interval = trial_of(found.rows[0], column.trial).get("image_AUROC_interval")
        if isinstance(interval, dict):
            return number(interval, "low"), number(interval, "high"), "bootstrap"
    return None, None, ""


def _controls(recipe: Recipe, group: Group, results: Results, budget: Budget) -> dict[str, tuple[float | None, ...]]:
    """Controls of each column, of the first line that has them: they depend on the protocol, not on the method."""
    if not group.controls or recipe.computed:
        return {}
    by_protocol: dict[object, Row] = {}
    for line in group.lines:
        for column in group.columns:
            for protocol in column.protocols:
                if protocol not in by_protocol:
                    row = results.rows.get(recipe.cell(line, protocol, 0, budget).key, {})
                    if "controls" in row:
                        by_protocol[protocol] = row
    names = dict.fromkeys(name for row in by_protocol.values() for name in _control(row, None))
    return {
        name: tuple(
            mean([_control(by_protocol.get(protocol, {}), column.trial).get(name) for protocol in column.protocols])
            for column in group.columns
        )
        for name in names
    }


def _control(row: Row, trial: str | None) -> dict[str, float]:
    found = row.get("controls")
    if not isinstance(found, dict) or not found:
        return {}
    chosen = next(iter(found.values())) if trial is None else found.get(trial)
    return {str(name): float(str(value)) for name, value in chosen.items()} if isinstance(chosen, dict) else {}


def _list(row: Row, name: str) -> list[object]:
    value = row.get(name)
    return list(value) if isinstance(value, list) else []


def distinct(rows: Iterable[Row], name: str) -> list[str]:
    """Return what rows say under a name, each once, in order."""
    return list(dict.fromkeys(str(row[name]) for row in rows if row.get(name) is not None))
