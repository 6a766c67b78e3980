"""Many cells: each once, on disk when it is told, and nothing lost when the time is up."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from amiss.bench import work as module
from amiss.bench.cell import Cell
from amiss.bench.results import read
from amiss.bench.work import Place, attempt, work
from amiss.contracts import WorkError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.protocols.one_vs_rest import Balanced, Entire

DEMO = Entire("demo", (0,))
CELLS = [Cell(method, DEMO, seed) for seed in range(2) for method in (KNN(), PCA())]
LONG = Cell(GradCon(epochs=200), DEMO)


def place(folder: Path) -> Place:
    return Place(folder, folder / "cells.jsonl", folder / ".scratch", device="cpu")


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_cell_is_run_once(tmp_path, jobs):
    told = []
    outcome = work([*CELLS, *CELLS], place(tmp_path), jobs=jobs, done=lambda cell, row: told.append((cell, row)))
    assert (outcome.finished, outcome.failed, outcome.left) == (4, (), 0)
    lines = (tmp_path / "cells.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["key"] for line in lines) == sorted(cell.key for cell in CELLS)
    assert {cell.key for cell, _ in told} == {cell.key for cell in CELLS}
    assert not any((tmp_path / ".scratch").iterdir())
    again = work(CELLS, place(tmp_path), jobs=jobs)
    assert (again.finished, again.left) == (0, 0)


def test_a_row_of_another_machine_counts(tmp_path):
    work(CELLS[:2], Place(tmp_path, tmp_path / "laptop.jsonl", tmp_path / ".scratch", device="cpu"))
    outcome = work(CELLS, place(tmp_path))
    assert outcome.finished == 2
    assert len(read([tmp_path]).rows) == 4


def test_a_cell_that_cannot_be_finished_is_a_row_too_and_stops_nobody(tmp_path):
    bad = Cell(KNN(), Balanced("demo", 7))
    outcome = work([bad, *CELLS[:1]], place(tmp_path))
    assert outcome.finished == 2
    assert len(outcome.failed) == 1
    assert "there is no class 7" in outcome.failed[0]
    assert "there is no class 7" in str(read([tmp_path]).failed(bad.key))
    assert work([bad], place(tmp_path)).finished == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_time_that_is_up_leaves_no_row(tmp_path, jobs):
    outcome = work([LONG], place(tmp_path), jobs=jobs, seconds=4)
    assert (outcome.finished, outcome.left) == (0, 1)
    assert not (tmp_path / "cells.jsonl").exists()


def test_time_that_is_up_leaves_a_checkpoint_to_go_on_from(tmp_path):
    checkpoint, deadline = tmp_path / ".scratch" / LONG.key / "fit" / "checkpoint.pt", []

    def until_checkpoint(what, done, total, detail):
        if checkpoint.exists() and not deadline:
            deadline.append(time.time())

    class Soon:  # the time is up once a checkpoint is there
        def __le__(self, now):
            return bool(deadline)

    assert attempt(LONG, place(tmp_path), Soon(), until_checkpoint) is None
    assert checkpoint.exists()
    told = []
    assert work([LONG], place(tmp_path), seconds=3, progress=lambda *event: told.append(event)).left == 1
    assert told[0][3] != "epoch 1"


def test_a_failure_that_is_no_sentence_of_ours_is_not_swallowed(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(module, "run_cell", broken)
    with pytest.raises(ZeroDivisionError):
        work(CELLS[:1], place(tmp_path))
    assert read([tmp_path]).rows == {}


def hold(folder: str, ready: str) -> None:
    def stop(what: str, done: int, total: int, detail: str) -> None:
        Path(ready).write_text("")
        time.sleep(600)

    attempt(LONG, place(Path(folder)), None, stop)


def test_a_cell_at_work_elsewhere_is_left_alone_and_taken_over_when_that_dies(tmp_path):
    ready = tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(str(tmp_path), str(ready)))
    process.start()
    while not ready.exists():
        assert process.is_alive()
        time.sleep(0.05)
    outcome = work([LONG, CELLS[0]], place(tmp_path))
    assert (outcome.finished, outcome.left) == (1, 1)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    went_on = []
    assert work([LONG], place(tmp_path), seconds=2, progress=lambda *event: went_on.append(event)).left == 1
    assert went_on


def die(cell, place, deadline):
    os._exit(9)


def test_a_worker_that_is_killed_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "attempt", die)
    with pytest.raises(WorkError, match="a process that ran a cell was killed"):
        work(CELLS, place(tmp_path), jobs=2)
