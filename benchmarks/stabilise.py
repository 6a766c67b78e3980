"""Does an ensemble or averaging make GradCon steadier, and a two-sided score kNN better? CIFAR-10, five seeds.

    AMISS_DATA=DIR python benchmarks/stabilise.py [WORD ...] [--part 1/2] [--out results/stabilise.jsonl]

One line of JSON per cell (data set, class, method, seed), resumable. Classes car and plane, GradCon for 12 epochs,
balanced protocol of GradCon, a tenth of the training images held out, images at their own 32 x 32 (the paper resizes
to 28). Labels are used for the metric alone.

Each ensemble is three fits, and its terms `member.1` to `member.3` are the single runs: `terms_auroc` holds the AUROC
of each, so no further fit is needed for them. An averaged run starts from the weights of the first of them, and sees
the same images in the same order: it is that very run, averaged over its second half instead of selected. In all 40
fits of GradCon (5 seeds x 2 classes x (3 + 1)), a minute or two each. `typical` is kNN, made two-sided.

Besides what every row has: `selected_epochs`, the epoch that each run's held-out loss chose; empty where nothing is
selected.
"""

from __future__ import annotations

from pathlib import Path

from amiss.contracts import Method
from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.engine.workdir import Record
from amiss.methods.averaged import Averaged
from amiss.methods.ensemble import Ensemble
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.typical import Typical
from amiss.protocols.one_vs_rest import balanced
from cells import ROOT, Cell, Row, held_apart, measured, work

EPOCHS = 12
RUNS = 3
SEEDS = range(5)
CLASSES = {"car": 1, "plane": 0}


def cells() -> list[Cell]:
    """Data set, normal class, method, seed; seed by seed, so that what is there compares."""
    methods = ("typical", "ensemble", "averaged")
    return [("cifar-10", name, method, seed) for name in CLASSES for seed in SEEDS for method in methods]


def settings(name: str) -> Method:
    member = GradCon(epochs=EPOCHS)
    made = {"ensemble": Ensemble(member, runs=RUNS), "averaged": Averaged(member), "typical": Typical(KNN())}
    return made[name]


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    dataset, normal, name, seed = str(cell[0]), str(cell[1]), str(cell[2]), int(cell[3])
    task = balanced(load(dataset, "train"), load(dataset, "test"), CLASSES[normal], seed)
    train, held_out = held_apart(task.train, seed)
    row, fitted = measured(settings(name), train, held_out, {"test": (task.test, task.labels)}, seed, workdir, reporter)
    row["selected_epochs"] = chosen(fitted.log)
    known = {"dataset": dataset, "class": normal, "method": name, "seed": seed, "protocol": task.name}
    return [{"cell": cell, **known, **row}]


def chosen(log: list[Record]) -> list[object]:
    """The epoch of each phase that its criterion chose, after the last restart."""
    last = max((i for i, record in enumerate(log) if record["event"] == "restart"), default=-1)
    epochs = [r for r in log[last + 1 :] if r["event"] == "epoch" and "criterion" in r]
    phases = dict.fromkeys(str(r["phase"]) for r in epochs)
    best = [min((r for r in epochs if r["phase"] == p), key=lambda r: float(str(r["criterion"]))) for p in phases]
    return [record["epoch"] for record in best]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "stabilise.jsonl")
