"""What a table says, in sentences: ahead or behind, which printed numbers are not reached, and how rows were made."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from amiss import catalog
from amiss.bench.entries import ABSENT, FAILED, Entry, Filled, distinct
from amiss.bench.printed import AVERAGES
from amiss.bench.recipe import Budget, Column, Group, Recipe
from amiss.bench.results import UNTRAINED, Row
from amiss.contracts import Method

UNSURE = "? marks a printed number that is not legible in our text of the paper, or was filled in from another paper."

TERSE = 12
"""So many columns that are behind are named one by one."""


def shown(value: float, group: Group, *, sign: bool = False) -> str:
    """Write a number with the group's decimals."""
    return f"{value:{'+' if sign else ''},.{group.decimals}f}"


def standings(filled: Filled) -> list[str]:
    """Say where the paper's own lines stand: against the printed numbers, then against other lines and controls."""
    found = []
    for entries in filled.entries:
        if not entries[0].line.own or all(entry.value is None for entry in entries):
            continue
        found += [*_reached(entries, filled.group), *_against(entries, filled)]
    return found


def missed(entry: Entry, group: Group) -> bool:
    """Whether ours, rounded as the printed number is, is worse than it; where neither is better, other than it."""
    if entry.value is None or entry.readable is None:
        return False
    ours, printed = round(entry.value, group.decimals), round(entry.readable, group.decimals)
    if group.better == "neither":
        return ours != printed
    return ours < printed if group.better == "higher" else ours > printed


def _reached(entries: Sequence[Entry], group: Group) -> Iterator[str]:
    compared = [entry for entry in entries if entry.difference is not None]
    if not compared:
        return
    behind = [entry for entry in compared if missed(entry, group)]
    name = entries[0].line.label
    yield (
        f"**{name}** reaches {len(compared) - len(behind)} of {len(compared)} printed numbers"
        + (" that have a result." if len(compared) < sum(entry.printed is not None for entry in entries) else ".")
    )
    if behind:
        each = "; ".join(
            f"{entry.column.label} {shown(entry.value or 0, group)}, printed {shown(entry.readable or 0, group)}"
            for entry in behind
        )
        yield f"{name} does not reach: {each}."


def _against(entries: Sequence[Entry], filled: Filled) -> Iterator[str]:
    if filled.group.better == "neither":
        return
    own = [entry for entry in entries if len(entry.column.protocols) == 1 and entry.value is not None]
    own = own or [entry for entry in entries if entry.value is not None]
    sign = 1 if filled.group.better == "higher" else -1
    said = []
    for name, values in _rivals(entries, filled):
        pairs = [(entry, other) for entry in own if (other := values[entry.column]) is not None]
        behind = [entry for entry, other in pairs if sign * (float(entry.value or 0) - other) < 0]
        named = len(own) > 1 and 0 < len(behind) <= TERSE
        where = f" (behind: {', '.join(entry.column.label for entry in behind)})" if named else ""
        if pairs:
            said.append(f"{name} in {len(pairs) - len(behind)} of {len(pairs)}{where}")
    if said:
        yield f"{entries[0].line.label} is ahead of or level with {'; '.join(said)}."


def _rivals(entries: Sequence[Entry], filled: Filled) -> Iterator[tuple[str, dict[Column, float | None]]]:
    """Other methods' numbers by column, and the best of the trivial controls."""
    for other in filled.entries:
        if other[0].line != entries[0].line and not other[0].line.own:
            yield other[0].line.label, {entry.column: entry.value for entry in other}
    if filled.controls:
        best: dict[Column, float | None] = {}
        for i, column in enumerate(filled.group.columns):
            known = [value for values in filled.controls.values() if (value := values[i]) is not None]
            best[column] = max(known, default=None)
        yield "the best trivial control", best


def remarks(filled: Sequence[Filled]) -> list[str]:
    """Say what was marked, what failed, and what the paper's own means are worth."""
    found = []
    for one in filled:
        for entries in one.entries:
            for entry in entries:
                place = ", ".join(part for part in (one.group.label, entry.line.label, entry.column.label) if part)
                found += [f"† {place}: {mark}." for mark in entry.marks]
                found += _slip(entry, place)
    found += _troubles(filled)
    if any(entry.printed is not None and entry.printed.uncertain for one in filled for entry in _entries(one)):
        found.append(UNSURE)
    return list(dict.fromkeys(found))


def _troubles(filled: Sequence[Filled]) -> list[str]:
    """Say why numbers are missing that were tried for, columns of one line together."""
    columns: dict[tuple[str, str], list[str]] = {}
    for one in filled:
        for entry in _entries(one):
            if entry.state.startswith((FAILED, ABSENT)):
                place = ": ".join(part for part in (one.group.label, entry.line.label) if part)
                columns.setdefault((place, entry.state), []).append(entry.column.label)
    return [f"{place}, {', '.join(labels)}: {state}." for (place, state), labels in columns.items()]


def _entries(one: Filled) -> list[Entry]:
    return [entry for entries in one.entries for entry in entries]


def _slip(entry: Entry, place: str) -> list[str]:
    printed = entry.printed
    if printed is None or printed.mean_of_cells is None or printed.value is None:
        return []
    return [f"{place}: the paper prints {printed.value}, but the mean of its cells is {printed.mean_of_cells}."]


def settings(recipe: Recipe, budget: Budget) -> list[str]:
    """Say with what settings each line is fitted."""
    every = [
        (group.label, line.label, described(line.method(budget))) for group in recipe.groups for line in group.lines
    ]
    texts: dict[str, set[str]] = {}
    for _, label, text in every:
        texts.setdefault(label, set()).add(text)
    found: dict[str, list[str]] = {}
    for group, label, text in every:
        found.setdefault(text, []).append(f"{label} on {group}" if len(texts[label]) > 1 else label)
    return [f"{', '.join(dict.fromkeys(places))}: {text}" for text, places in found.items()]


def described(method: Method) -> str:
    """Write a method as its name and what is set otherwise than by default."""
    name = catalog.name_of(method)
    plain = catalog.load(name)
    changed = [
        f"{field.name}={getattr(method, field.name)}"
        for field in dataclasses.fields(method)  # type: ignore[arg-type]
        if getattr(method, field.name) != getattr(plain, field.name)
    ]
    return f"`{name}`" + (f" with {', '.join(changed)}" if changed else "")


def making(filled: Sequence[Filled]) -> list[str]:
    """Say how the rows came about: choice of the epoch, seeds, time, code, versions and machine."""
    by_line = [(one.group.lines[i].label, rows) for one in filled for i, rows in enumerate(one.rows) if rows]
    every = [row for _, rows in by_line for row in rows]
    if not every:
        return []
    rules: dict[str, list[str]] = {}
    for label, rows in by_line:
        for row in rows:
            rules.setdefault(_rule(row), []).append(label)
    chosen = "; ".join(f"{rule} ({', '.join(dict.fromkeys(labels))})" for rule, labels in sorted(rules.items()))
    return [
        f"Choice of the epoch: {chosen}.",
        f"Seeds: {_seeds(every)}. With several seeds the range is over seeds; with one it is the 95 % bootstrap "
        "interval over test images, which says nothing of other seeds.",
        *_cost(by_line),
        f"Made by code {', '.join(sorted(distinct(every, 'code')))} with {_versions(every)} on "
        f"{', '.join(sorted(distinct(every, 'device')))}, {' or '.join(sorted(distinct(every, 'threads')))} thread(s).",
    ]


def _rule(row: Row) -> str:
    """How a row's epoch was chosen; older rows of what does not train say "last epoch"."""
    return UNTRAINED if row.get("last_losses") == {} else str(row["selection"])


def _seeds(rows: Sequence[Row]) -> str:
    found = {cell.get("seed") for row in rows if isinstance(cell := row.get("cell"), dict)}
    return ", ".join(sorted(str(seed) for seed in found))


def _versions(rows: Sequence[Row]) -> str:
    found: dict[str, set[str]] = {}
    for row in rows:
        versions = row.get("versions")
        for name, version in versions.items() if isinstance(versions, dict) else ():
            found.setdefault(name, set()).add(str(version))
    return ", ".join(f"{name} {' or '.join(sorted(found[name]))}" for name in sorted(found))


def _cost(by_line: Sequence[tuple[str, Sequence[Row]]]) -> list[str]:
    spent: dict[str, list[float]] = {}
    for label, rows in by_line:
        spent.setdefault(label, []).extend(
            float(str(row["processor_seconds"])) for row in rows if row.get("processor_seconds") is not None
        )
    said = [f"{label} {sum(times) / len(times):.0f}" for label, times in spent.items() if times]
    return [f"Processor seconds a cell, fit and scores, on average: {', '.join(said)}."] if said else []


def printed_means(filled: Filled) -> list[tuple[Entry, Entry | None]]:
    """Return the own lines' entries for the mean, each with that of kNN, for the pages' summaries."""
    knn = {entry.column: entry for entries in filled.entries if entries[0].line.label == "kNN" for entry in entries}
    return [
        (entry, knn.get(entry.column))
        for entries in filled.entries
        if entries[0].line.own
        for entry in entries
        if entry.column.printed in AVERAGES or len(filled.group.columns) <= 3
    ]
