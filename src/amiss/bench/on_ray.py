"""Runs cells on Ray: on this machine, or on a cluster whose nodes share no files with it."""

from __future__ import annotations

import getpass
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from amiss.bench.cell import Cell, from_json, to_json
from amiss.bench.results import Row, append, read
from amiss.bench.sources import missing
from amiss.bench.work import Done, Outcome, Place, made, told
from amiss.contracts import InputError, Progress, WorkError
from amiss.data.claim import claimed
from amiss.data.sets import data_home
from amiss.engine.progress import silent
from amiss.scale.cluster import cluster

if TYPE_CHECKING:
    from ray import ObjectRef

RETRIES = 3
"""How often a cell is begun again elsewhere when its node or its process dies."""

AHEAD = 2
"""Cells handed to Ray for each of its processors; the rest wait here."""

WAIT = 2.0
"""Seconds between two tries to take a cell."""

GRACE = 10.0
"""Seconds for a cell to notice that the time is up, before it is cancelled."""


def work_on_ray(
    cells: Sequence[Cell],
    place: Place,
    *,
    address: str | None = None,
    gpus_per_cell: float = 0.0,
    seconds: float | None = None,
    done: Done = lambda cell, row: None,
    progress: Progress = silent,
) -> Outcome:
    """Run cells that no file of `place.results` has a row of as Ray tasks; only this process writes results.

    address: of a running cluster, as Ray takes it; None starts one on this machine. gpus_per_cell: share of a GPU that
    a cell asks for, such as 0.25. seconds: after which nothing new is begun and what runs is stopped; a node keeps the
    checkpoint of a cell for its next try. The data folder of a node is `place.home` where it has one of that path, else
    its own AMISS_DATA.
    Raises InputError without Ray or where the address does not answer, and WorkError where a cell dies on every node.
    """
    deadline = None if seconds is None else time.time() + seconds
    known = read([place.results]).rows
    todo = [cell for key, cell in {cell.key: cell for cell in cells}.items() if key not in known]
    finished: set[str] = set()
    failed: list[str] = []
    with cluster(address):
        _require_gpus(gpus_per_cell)
        for cell, row in _rows(todo, place, gpus_per_cell, deadline):
            if row is None or cell.key in finished:
                continue
            append(place.out, row)
            finished.add(cell.key)
            failed += [told(cell, row)] if "error" in row else []
            progress("cells", len(finished), len(todo), "")
            done(cell, row)
    return Outcome(len(finished), tuple(failed), len(todo) - len(finished))


def _rows(todo: Sequence[Cell], place: Place, gpus: float, deadline: float | None) -> Iterator[tuple[Cell, Row | None]]:
    import ray

    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_remote)
    waiting = list(reversed(todo))
    running: dict[ObjectRef[Row | None], Cell] = {}
    while waiting or running:
        late = deadline is not None and time.time() >= deadline
        if late and (not running or time.time() >= (deadline or 0) + GRACE):
            for reference in running:
                ray.cancel(reference, force=True)
            return
        room = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        while waiting and len(running) < room and not late:
            cell = waiting.pop()
            left = None if deadline is None else deadline - time.time()
            running[task.remote(to_json(cell), _home(place), place.device if gpus else "cpu", left)] = cell
        ready, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
        for reference in ready:
            yield running.pop(reference), _row(reference)


def _row(reference: ObjectRef[Row | None]) -> Row | None:
    import ray

    try:
        found: Row | None = ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        first = str(cause).strip().split("\n", 1)[0]
        raise WorkError(
            f"a cell could not be run on Ray ({type(cause).__name__}: {first}); what was finished is kept, and the "
            f"same command goes on with the rest"
        ) from error
    return found


def _remote(settings: Mapping[str, object], home: str | None, device: str, seconds: float | None) -> Row | None:
    """Run one cell on a node; its checkpoints stay there, so that a second try on the same node goes on from them."""
    torch.set_num_threads(1)
    cell = from_json(settings)
    folder = Path(tempfile.gettempdir()) / f"amiss-bench-{getpass.getuser()}" / cell.key
    deadline = None if seconds is None else time.time() + seconds
    data = Path(home) if home is not None and Path(home).is_dir() else None  # else the node's own AMISS_DATA
    if absent := missing([cell.protocol], data):
        raise WorkError(f"node {platform.node()} does not have {', '.join(absent)} in {data or data_home()}")
    while True:
        with claimed(folder) as mine:
            if mine:
                row = made(cell, folder, data, device, deadline)
                if row is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                return row
        time.sleep(WAIT)  # what a dead node left running on this machine is about to end


def _home(place: Place) -> str | None:
    return None if place.home is None else str(place.home.resolve())


def _require_gpus(share: float) -> None:
    import ray

    if share > ray.cluster_resources().get("GPU", 0):
        raise InputError(f"a cell asks for {share:g} GPU, and the cluster has none to give: leave the share out")
