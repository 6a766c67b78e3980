"""The numbers that the papers print, with their place in them, from `printed.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from amiss.bench.recipe import Source

Role = Literal["target", "ablation", "baseline", "rerun by a reader", "authors' log"]
"""Whose number it is: the paper's own method, a part of it left out, another method, or not the paper's at all."""

AVERAGES = ("Average", "Mean", "Mean(even classes)")
"""What the papers call the mean over the other columns."""


@dataclass(frozen=True)
class Printed:
    """One printed number; a share, and not per cent, where the paper prints per cent."""

    source: Source
    method: str
    column: str
    value: float | None
    """None where our text of the paper is not legible."""
    std: float | None
    """Printed deviation, in ARAE's case over the last epochs of one run."""
    role: Role
    uncertain: bool
    """Whether it is not legible in our text of the paper, or was filled in from another one: then it is no target."""
    mean_of_cells: float | None = None
    """Of a printed mean that is not the mean of the printed cells: what that would be."""

    @property
    def target(self) -> bool:
        """Whether it is a number of the paper's own method that can be read."""
        return self.role in ("target", "ablation") and not self.uncertain and self.value is not None


@cache
def every() -> tuple[Printed, ...]:
    """Return all printed numbers."""
    text = files("amiss.bench").joinpath("printed.json").read_text("utf-8")
    return tuple(found for line in json.loads(text) for found in _numbers(line))


def _numbers(line: Mapping[str, object]) -> list[Printed]:
    source = Source(*(str(line[name]) for name in ("paper", "table", "dataset", "metric")))
    scale = 0.01 if line["unit"] == "percent" else 1.0
    values, std = line["values"], line.get("std", {})
    unsure, of_cells = line.get("uncertain", []), line.get("mean_of_cells")
    assert isinstance(values, dict)
    assert isinstance(std, dict)
    assert isinstance(unsure, list)

    def share(value: object) -> float | None:
        return round(float(str(value)) * scale, 6) if value is not None else None

    return [
        Printed(
            source,
            str(line["method"]),
            column,
            share(value),
            share(std.get(column)),
            line["role"],  # type: ignore[arg-type]
            column in unsure,
            share(of_cells) if column in AVERAGES else None,
        )
        for column, value in values.items()
    ]


@cache
def _by_place() -> dict[tuple[Source, str, str], Printed]:
    return {(number.source, number.method, number.column): number for number in every()}


def find(source: Source | None, method: str | None, column: str | None) -> Printed | None:
    """Return the number that a table prints for a method in a column; None where it prints none."""
    if source is None or method is None or column is None:
        return None
    return _by_place().get((source, method, column))


def methods(source: Source) -> tuple[str, ...]:
    """Return the methods that a part of a table prints, in its order."""
    return tuple(dict.fromkeys(number.method for number in every() if number.source == source))
