"""`amiss bench`: runs the cells of the papers' tables that have no result yet, and prints ours beside the printed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from amiss.bench import recipes, table
from amiss.bench.cell import Cell
from amiss.bench.recipe import Budget, Recipe, trial_value
from amiss.bench.results import Results, Row, read
from amiss.bench.run import run_cell
from amiss.bench.sources import missing, official
from amiss.bench.verify import compare, pick
from amiss.bench.work import Outcome, Place, work
from amiss.cli.console import counted, note, reporting, result
from amiss.cli.options import parse
from amiss.contracts import InputError

UNITS = {"s": 1, "m": 60, "h": 3600}
RAY = "ray"


@dataclass(frozen=True)
class BenchOptions:
    """Run what a table of the papers needs and has no result of yet; then print it, ours beside the printed numbers."""

    recipes: Annotated[tuple[str, ...], Positional, arg(metavar="[RECIPE ...]", help_behavior_hint="")] = ()
    """Tables and figures, such as gradcon-t4; amiss bench --list names them."""
    list: bool = False
    """List recipes with their cells, how many are done, and which data are missing; run nothing."""
    verify: bool = False
    """Run one committed cell again, drawn at random, and compare."""
    table: bool = False
    """Print tables of what is done; run nothing."""
    quick: bool = False
    """Take budgets of minutes on two cores, instead of the papers' own."""
    only: Annotated[str | None, arg(metavar="WORD,WORD", help_behavior_hint="")] = None
    """Only lines and columns in whose name a word stands, such as gradcon,knn,8."""
    seeds: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Seeds of each cell, from 0; as many as the recipe says, if not given."""
    budget: Annotated[str | None, arg(metavar="TIME", help_behavior_hint="")] = None
    """Stop after so long, such as 20m or 3h; what is done is kept, and the next call goes on."""
    jobs: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Cells at work at the same time, each in a process; one per core, if not given, and one on a GPU."""
    on: Annotated[str | None, arg(metavar="ray[://ADDRESS]", help_behavior_hint="")] = None
    """Run on Ray: on this machine's cores, or on the cluster at ADDRESS."""
    results: Annotated[Path, arg(metavar="DIR")] = Path("results/bench")
    """Folder of result files; rows are read from all of them."""
    out: Annotated[str, arg(metavar="NAME")] = "cells"
    """Name of the file in it that new rows go to, without .jsonl: one for each machine merges without conflict."""
    form: Literal["text", "markdown", "csv"] = "text"
    """How tables are printed."""
    data: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Data folder; by default the one that AMISS_DATA names, else amiss in the user's cache folder."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    random_state: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Seed of the draw of --verify."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress."""

    @property
    def budget_name(self) -> Budget:
        """Which of a recipe's budgets is meant."""
        return "quick" if self.quick else "published"


def main(arguments: Sequence[str]) -> int:
    """Run cells, or look at what was run."""
    options = parse(BenchOptions, arguments, "bench")
    _require(options)
    chosen = [recipes.load(name) for name in options.recipes or (recipes.names() if _looks(options) else ())]
    if not chosen:
        raise InputError("name a recipe, such as amiss bench gradcon-t4 --quick; amiss bench --list names them all")
    if options.only is not None:
        chosen = [recipe.only(options.only.split(",")) for recipe in chosen]
    if options.list:
        return _list(options, chosen)
    if options.verify:
        return _verify(options, chosen)
    outcome = Outcome(0, (), 0) if options.table else _run(options, chosen)
    found = read([options.results])
    note(*found.stale)
    for recipe in chosen:
        result(table.render(recipe, found, options.budget_name, options.form, seeds=options.seeds))
    note(*outcome.failed, *_summary(outcome, options))
    return 1 if outcome.failed else 0


def _looks(options: BenchOptions) -> bool:
    return options.list or options.verify or options.table


def _require(options: BenchOptions) -> None:
    if not re.fullmatch(r"[\w.-]+", options.out) or options.out.startswith("."):
        raise InputError(f"--out {options.out!r} is not accepted: give the name of a file, such as cells or laptop")
    for name, value in (("--seeds", options.seeds), ("--jobs", options.jobs)):
        if value is not None and value < 1:
            raise InputError(f"{name} {value} is not accepted: give at least 1")
    if options.on is not None and not re.fullmatch(r"ray(://.+)?", options.on):
        raise InputError(f"--on {options.on!r} is not accepted: give ray, or ray://ADDRESS")
    seconds_of(options.budget)


def seconds_of(budget: str | None) -> float | None:
    """Read a time such as 90s, 20m or 1.5h, in seconds; raises InputError for anything else."""
    if budget is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if found is None:
        raise InputError(f"--budget {budget!r} is not accepted: give a time such as 90s, 20m or 3h")
    return float(found[1]) * UNITS[found[2]]


def _cells(options: BenchOptions, chosen: Sequence[Recipe]) -> list[Cell]:
    """Every cell once; a seed of all recipes before the next seed of any."""
    every = {cell.key: cell for recipe in chosen for cell in recipe.cells(options.budget_name, options.seeds)}
    return sorted(every.values(), key=lambda cell: cell.seed)


def _list(options: BenchOptions, chosen: Sequence[Recipe]) -> int:
    known = read([options.results])
    note(f"results: {options.results}; budget: {options.budget_name}", *known.stale)
    for recipe in chosen:
        cells = recipe.cells(options.budget_name, options.seeds)
        done = sum(cell.key in known.rows for cell in cells)
        absent = missing((cell.protocol for cell in cells), options.data)
        state = f"{done} of {counted(len(cells), 'cell')} done" if cells else "no cells"
        result(f"{recipe.name}: {state}", f"  {recipe.title}")
        if absent:
            result(f"  missing data: {', '.join(absent)}")
    return 0


def _run(options: BenchOptions, chosen: Sequence[Recipe]) -> Outcome:
    cells = _cells(options, chosen)
    absent = set(missing((cell.protocol for cell in cells), options.data))
    if absent:
        names = " ".join(sorted(absent))
        note(f"left out, for want of data: {', '.join(sorted(absent))}; amiss data get {names} tells how to get them")
    ready = [cell for cell in cells if not absent & {name for name, _ in cell.protocol.needs()}]
    options.results.mkdir(parents=True, exist_ok=True)
    out = options.results / f"{options.out}.jsonl"
    place = Place(options.results, out, options.results / ".scratch", options.data, options.device)
    jobs = options.jobs or (1 if _accelerated(options.device) else os.cpu_count() or 1)
    seconds = seconds_of(options.budget)
    with reporting(quiet=options.quiet) as reporter:
        told = _Told(len(ready), read([options.results]), ready, quiet=options.quiet)
        if options.on is not None:
            from amiss.bench.on_ray import work_on_ray

            address = None if options.on == RAY else options.on
            return work_on_ray(ready, place, address=address, seconds=seconds, done=told, progress=reporter)
        return work(ready, place, jobs=jobs, seconds=seconds, done=told, progress=reporter)


def _accelerated(device: str) -> bool:
    import torch

    return device.startswith(("cuda", "mps")) or (device == "auto" and torch.cuda.is_available())


class _Told:
    """Says of each finished cell what came out, and how many are left."""

    def __init__(self, total: int, known: Results, cells: Sequence[Cell], *, quiet: bool) -> None:
        self.total = total
        self.count = sum(cell.key in known.rows for cell in cells)
        self.quiet = quiet

    def __call__(self, cell: Cell, row: Row) -> None:
        """Write one line about a cell."""
        self.count += 1
        if self.quiet:
            return
        value = trial_value(row, None, None)
        outcome = f"AUROC {value:.3f}" if value is not None else f"failed: {row.get('error')}"
        cost = f", {row['seconds']} s" if "seconds" in row else ""
        data = " and ".join(sorted({name for name, _ in cell.protocol.needs()}))
        task = row.get("task", type(cell.protocol).__name__)
        note(f"{self.count}/{self.total} {row['method']}, {data}: {task}, seed {cell.seed}: {outcome}{cost}")


def _verify(options: BenchOptions, chosen: Sequence[Recipe]) -> int:
    known = read([options.results])
    keys = [cell.key for cell in _cells(options, chosen)]
    try:
        cell = pick(known, keys, options.random_state)
    except ValueError as error:
        raise InputError(
            f"{options.results} holds no result of these cells at the {options.budget_name} budget to verify"
        ) from error
    committed = known.rows[cell.key]
    note(f"running again: {committed['method']}, {committed['task']}, seed {cell.seed} (cell {cell.key})")
    with reporting(quiet=options.quiet) as reporter, tempfile.TemporaryDirectory() as scratch:
        again = run_cell(cell, official(options.data), Path(scratch) / "fit", device=options.device, progress=reporter)
    verdict = compare(committed, again)
    result(
        f"committed AUROC {trial_value(committed, None, None):.6f}, again {trial_value(again, None, None):.6f}; "
        f"largest difference of any trial {verdict.difference:.2g}, accepted {verdict.tolerance:g}: "
        f"{'equal' if verdict.holds else 'NOT EQUAL'}"
    )
    return 0 if verdict.holds else 1


def _summary(outcome: Outcome, options: BenchOptions) -> list[str]:
    if options.table:
        return []
    lines = [f"{counted(outcome.finished, 'cell')} finished, in {options.results / options.out}.jsonl"]
    if outcome.left:
        lines.append(f"{counted(outcome.left, 'cell')} left: the same command goes on with them")
    return lines
