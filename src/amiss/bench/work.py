"""Runs the cells that have no result yet: on this machine's processes, until all are done or the time is up."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import torch

from amiss.bench.cell import Cell
from amiss.bench.results import Row, append, read
from amiss.bench.run import failure, run_cell
from amiss.bench.sources import official
from amiss.contracts import InputError, Progress, WorkError
from amiss.data.claim import claimed
from amiss.engine.progress import silent

Done = Callable[[Cell, Row], None]
"""Told of each finished cell and its row, which is on disk by then."""


class OutOfTime(Exception):  # noqa: N818  not an error: the checkpoint stays
    """The time is up in the middle of a cell."""


@dataclass(frozen=True)
class Place:
    """Where work is read from and goes to."""

    results: Path
    """Folder of result files; a cell with a row in any of them is done."""
    out: Path
    """The one of them that rows are appended to."""
    scratch: Path
    """Folder of checkpoints, one folder a cell, removed when the cell is finished."""
    home: Path | None = None
    """Data folder; the one that AMISS_DATA names, if None."""
    device: str = "auto"


@dataclass(frozen=True)
class Outcome:
    """What a call of `work` did."""

    finished: int
    failed: tuple[str, ...]
    """Sentences, one a cell that cannot be finished."""
    left: int
    """Cells without a result: out of time, or at work in another process."""


def work(
    cells: Sequence[Cell],
    place: Place,
    *,
    jobs: int = 1,
    seconds: float | None = None,
    done: Done = lambda cell, row: None,
    progress: Progress = silent,
) -> Outcome:
    """Run cells that `place.out` has no row of, each in a process of its own group, `jobs` at a time.

    seconds: after which nothing new is begun and what runs is left at its last checkpoint. Other calls may work on the
    same place: each cell is taken by one of them.
    """
    deadline = None if seconds is None else time.time() + seconds
    known = read([place.results]).rows
    todo = [cell for key, cell in {cell.key: cell for cell in cells}.items() if key not in known]
    finished, failed = 0, []
    for cell, row in _rows(todo, place, jobs, deadline, progress):
        done(cell, row)
        finished += 1
        if "error" in row:
            failed.append(told(cell, row))
    return Outcome(finished, tuple(failed), len(todo) - finished)


def told(cell: Cell, row: Row) -> str:
    """Say which cell failed, and why."""
    return f"{row['method']}, {cell.protocol}, seed {cell.seed}: {row['error']}"


def _rows(
    todo: Sequence[Cell], place: Place, jobs: int, deadline: float | None, progress: Progress
) -> Iterator[tuple[Cell, Row]]:
    if jobs == 1:
        for cell in todo:
            if deadline is not None and time.time() >= deadline:
                return
            row = attempt(cell, place, deadline, progress)
            if row is not None:
                yield cell, row
        return
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(jobs, context, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        waiting = iter(todo)
        running: dict[Future[Row | None], Cell] = {}
        while True:
            while len(running) < jobs and (deadline is None or time.time() < deadline):
                following = next(waiting, None)
                if following is None:
                    break
                running[pool.submit(attempt, following, place, deadline)] = following
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                cell, row = running.pop(future), _result(future)
                if row is not None:
                    yield cell, row


def _result(future: Future[Row | None]) -> Row | None:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WorkError(
            "a process that ran a cell was killed, perhaps for want of memory: run the same command again, with fewer "
            "--jobs; finished cells are kept"
        ) from error


def attempt(cell: Cell, place: Place, deadline: float | None, progress: Progress = silent) -> Row | None:
    """Run a cell and append its row, or that of its failure; None where the time is up or another process has it."""
    folder = place.scratch / cell.key
    with claimed(folder) as mine:
        if not mine or cell.key in read([place.results]).rows:
            return None
        row = made(cell, folder, place.home, place.device, deadline, progress)
        if row is not None:
            append(place.out, row)
            shutil.rmtree(folder, ignore_errors=True)
        return row


def made(
    cell: Cell, folder: Path, home: Path | None, device: str, deadline: float | None, progress: Progress = silent
) -> Row | None:
    """Run a cell and return its row, or that of its failure; None where the time is up, with a checkpoint in `folder`.

    deadline: in seconds since 1970, by this machine's clock.
    """

    def watched(what: str, done: int, total: int, detail: str) -> None:
        if deadline is not None and time.time() >= deadline:
            raise OutOfTime
        progress(what, done, total, detail)

    try:
        return run_cell(cell, official(home), folder / "fit", device=device, progress=watched)
    except OutOfTime:
        return None
    except (InputError, WorkError) as error:
        return failure(cell, error)
