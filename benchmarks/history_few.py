"""From how many kept states of the generator should each batch of HistoryAD's history come? MNIST 8, small networks.

    AMISS_DATA=DIR python benchmarks/history_few.py [WORD ...] [--part 1/2] [--out results/history_few.jsonl]

One line of JSON per cell (data set, class, states a batch, seed), resumable. Experimental case 2, width 1/32, 900 steps
of the critic, then 1,000 of D_TV from random weights; the same seed has the same generator, whatever the number of
states. Labels are used for the metric alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.methods.history_ad import HistoryAD
from amiss.protocols.one_vs_rest import entire
from cells import ROOT, Cell, Row, held_apart, measured, work

SMALL = HistoryAD(spread=3.0, width=1 / 32, updates=900, tv_updates=1000)


def cells() -> list[Cell]:
    """Data set, class, states a batch, seed."""
    return [("mnist", 8, few, seed) for seed in range(2) for few in (1, 4, 16, 50)]


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    few, seed = int(cell[2]), int(cell[3])
    task = entire(load("mnist", "train"), load("mnist", "test"), 8)
    train, held_out = held_apart(task.train, seed)
    tests = {"test": (task.test, task.labels)}
    row, fitted = measured(replace(SMALL, few=few), train, held_out, tests, seed, workdir, reporter)
    ended = [r for r in fitted.log if r["event"] == "epoch" and r["phase"] == "total variation"]
    losses = ended[-1]["losses"]
    assert isinstance(losses, dict)
    seconds = sum(float(str(r["seconds"])) for r in ended)
    row |= {"loss": losses["total variation"], "tv_seconds": round(seconds, 1)}
    return [{"cell": cell, "dataset": "mnist", "class": 8, "few": few, "seed": seed, "protocol": task.name, **row}]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "history_few.jsonl")
