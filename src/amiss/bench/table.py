"""A recipe's table: ours, its range, the printed number and the difference; as Markdown, CSV or plain text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill as wrapped
from typing import Literal

from amiss.bench import printed
from amiss.bench.entries import FAILED, NOT_RUN, Entry, Filled, fill
from amiss.bench.recipe import Budget, Group, Recipe
from amiss.bench.results import Results
from amiss.bench.standing import making, remarks, settings, shown, standings

Form = Literal["text", "markdown", "csv"]

WIDTH = 120
"""Characters of a line of plain text."""

HEAD = ("line", "", "")
DASH = "–"
FIELDS = "recipe budget group line column ours low high range_of seeds printed difference state marks"
"""Columns of the CSV form."""

SHORT = {
    "total variation": "variation",
    "total variation, two-sided": "variation, 2-sided",
    "mean brightness": "brightness",
    "mean brightness, two-sided": "brightness, 2-sided",
}
"""How the controls' names are shortened in grids."""


@dataclass(frozen=True)
class Grid:
    """Rows of text under a head; the first two columns name the line and what the row is."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render(recipe: Recipe, results: Results, budget: Budget, form: Form = "text", *, seeds: int | None = None) -> str:
    """Return the table of a recipe at a budget; what has no result is named as not run."""
    filled = [fill(recipe, group, results, budget, seeds) for group in recipe.groups]
    if form == "csv":
        return to_csv(recipe, filled, budget)
    return text(recipe, filled, budget) if form == "text" else markdown(recipe, filled, budget)


def markdown(recipe: Recipe, filled: Sequence[Filled], budget: Budget, level: int = 2) -> str:
    """Return the table as Markdown, with a heading of that level."""
    parts = [f"{'#' * level} {recipe.title}"]
    for one in filled:
        if one.group.label:
            parts.append(f"{'#' * (level + 1)} {one.group.label}")
        parts.append(_markdown_grid(grid(one)))
        parts.append(_sentence(one.group.metric))
        if standings(one):
            parts.append("\n".join(f"- {sentence}" for sentence in standings(one)))
    parts += ["\n".join(f"- {sentence}" for sentence in remarks(filled))] if remarks(filled) else []
    parts += [recipe.note] if recipe.note else []
    if filled and not recipe.computed:
        how = [f"Budget: {budget}. {sentence}." for sentence in [_settings(recipe, budget)]]
        parts.append("<details><summary>How these numbers were made</summary>")
        parts.append("\n".join(f"- {sentence}" for sentence in [*how, *making(filled)]))
        parts.append("</details>")
    return "\n\n".join(parts)


def text(recipe: Recipe, filled: Sequence[Filled], budget: Budget) -> str:
    """Return the table as plain text of at most WIDTH characters a line."""
    parts = [recipe.title]
    for one in filled:
        parts += [f"[{one.group.label}]"] if one.group.label else []
        parts += [_text_grid(part) for part in _blocks(grid(one, ranges=False))]
        parts += [_bullets([_sentence(one.group.metric), *(_plain(said) for said in standings(one))])]
    parts += [_bullets(remarks(filled))] if remarks(filled) else []
    parts += [wrapped(recipe.note, WIDTH)] if recipe.note else []
    if filled and not recipe.computed:
        parts.append(_bullets([f"Budget: {budget}. {_plain(_settings(recipe, budget))}.", *making(filled)]))
    return "\n\n".join(parts)


def to_csv(recipe: Recipe, filled: Sequence[Filled], budget: Budget) -> str:
    """Return one line for each number, printed-only methods included."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(FIELDS.split())
    for one in filled:
        for entry in (entry for entries in one.entries for entry in entries):
            numbers = (entry.value, entry.low, entry.high)
            writer.writerow(
                [recipe.name, budget, one.group.label, entry.line.label, entry.column.label]
                + [_exact(value) for value in numbers]
                + [entry.spread, " ".join(map(str, entry.seeds)), _exact(entry.readable), _exact(entry.difference)]
                + [entry.state, " ".join(entry.marks)]
            )
        for method, values in references(one.group):
            for column, value in zip(one.group.columns, values, strict=True):
                if value is not None and not value.uncertain:
                    place = [recipe.name, "", one.group.label, method, column.label]
                    writer.writerow([*place, "", "", "", "", "", _exact(value.value), "", "printed only", ""])
        for name, controls in one.controls.items():
            for column, control in zip(one.group.columns, controls, strict=True):
                place = [recipe.name, budget, one.group.label, name, column.label]
                writer.writerow([*place, _exact(control), "", "", "", "", "", "", "control", ""])
    return file.getvalue().rstrip("\n")


def grid(one: Filled, *, ranges: bool = True) -> Grid:
    """Return a group as rows of text: for each line ours, the range, the printed number and the difference.

    ranges: whether a range is one cell; otherwise, two rows of narrow cells, and only where it is over seeds.
    """
    group = one.group
    rows: list[tuple[str, ...]] = []
    for entries in one.entries:
        rows += _lines(entries, group, ranges)
    for method, numbers in references(group):
        rows.append((method, "printed", *(_printed(number, group) for number in numbers)))
    for name, values in one.controls.items():
        cells = (shown(value, group) if value is not None else DASH for value in values)
        rows.append((SHORT.get(name, name), "control", *cells))
    return Grid(("", "", *(column.label for column in group.columns)), tuple(rows))


def references(group: Group) -> list[tuple[str, list[printed.Printed | None]]]:
    """Return the methods that the paper prints and we do not run, each with a number for each column."""
    own = {line.printed for line in group.lines}
    found = []
    for source in (group.printed, *group.beside):
        for method in [] if source is None else printed.methods(source):
            numbers = [printed.find(source, method, column.printed) for column in group.columns]
            if method not in own and any(number is not None for number in numbers):
                found.append((method, numbers))
    return found


def _lines(entries: Sequence[Entry], group: Group, ranges: bool) -> list[tuple[str, ...]]:
    label = entries[0].line.label
    name = f"**{label}**" if entries[0].line.own else label
    ours = tuple(_ours(entry, group) for entry in entries)
    if all(entry.state == NOT_RUN for entry in entries):
        ours = (NOT_RUN, *("" for _ in entries[1:]))
    found = [(name, "ours", *ours)]
    if any(entry.low is not None for entry in entries):
        spread = {entry.spread for entry in entries if entry.spread}
        what = "range" if spread == {"seeds"} else "95 %" if spread == {"bootstrap"} else "range or 95 %"
        if ranges:
            found.append(("", what, *(_range(entry, group) for entry in entries)))
        elif "seeds" in spread:
            found.append(("", "low", *(_number(entry.low, group) for entry in entries)))
            found.append(("", "high", *(_number(entry.high, group) for entry in entries)))
    if any(entry.printed is not None for entry in entries):
        found.append(("", "printed", *(_printed(entry.printed, group) for entry in entries)))
    if any(entry.difference is not None for entry in entries):
        found.append(("", "diff", *(_number(entry.difference, group, sign=True) for entry in entries)))
    return found


def _ours(entry: Entry, group: Group) -> str:
    if entry.value is None:
        return next((word for word in (FAILED, "absent") if entry.state.startswith(word)), entry.state or NOT_RUN)
    return shown(entry.value, group) + ("†" if entry.marks else "")


def _range(entry: Entry, group: Group) -> str:
    if entry.low is None or entry.high is None:
        return ""
    return f"{shown(entry.low, group)}{DASH}{shown(entry.high, group)}"


def _number(value: float | None, group: Group, *, sign: bool = False) -> str:
    return "" if value is None else shown(value, group, sign=sign)


def _printed(number: printed.Printed | None, group: Group) -> str:
    if number is None:
        return DASH
    if number.value is None:
        return "?"
    return shown(number.value, group) + ("?" if number.uncertain else "")


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _settings(recipe: Recipe, budget: Budget) -> str:
    return "; ".join(settings(recipe, budget))


def _markdown_grid(made: Grid) -> str:
    align = ["---", "---", *("---:" for _ in made.head[2:])]
    every = [made.head, tuple(align), *made.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def _blocks(made: Grid) -> list[Grid]:
    """Cut a grid that is too wide into several under each other."""
    names = sum(_width(made, i) + 2 for i in (0, 1))
    blocks: list[list[int]] = [[]]
    left = WIDTH - names
    for i in range(2, len(made.head)):
        width = _width(made, i) + 2
        if width > left and blocks[-1]:
            blocks.append([])
            left = WIDTH - names
        blocks[-1].append(i)
        left -= width
    return [
        Grid(
            tuple(made.head[i] for i in (0, 1, *block)),
            tuple(tuple(row[i] for i in (0, 1, *block)) for row in made.rows),
        )
        for block in blocks
    ]


def _width(made: Grid, i: int) -> int:
    return max(len(_plain(row[i])) for row in (made.head, *made.rows))


def _text_grid(made: Grid) -> str:
    widths = [_width(made, i) for i in range(len(made.head))]
    lines = []
    for row in (made.head, *made.rows):
        cells = [_plain(cell) for cell in row]
        named = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
        lines.append("  ".join([*named, *numbers]).rstrip())
    return "\n".join(lines)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _plain(marked: str) -> str:
    return re.sub(r"\*\*|`", "", marked)


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(wrapped(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ") for sentence in sentences)
