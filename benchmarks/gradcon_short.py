"""GradCon against the plain autoencoder, kNN and PCA at 50 epochs: MNIST 2 and 8, Fashion-MNIST 0 and 6, three seeds.

    AMISS_DATA=DIR python benchmarks/gradcon_short.py [--part 1/2] [--out results/gradcon_short.jsonl]

One line of JSON per cell (data set, class, method, seed). Cells that have a line are not run again, and a cell that was
cut off goes on from its checkpoint, so the command can be stopped and started at will. Start one process for each part.
Labels are used for the metric alone: epochs are selected by the loss of held-out normal images.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from amiss import catalog
from amiss.data.images import Images
from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.protocols.folds import FiveFolds
from amiss.protocols.one_vs_rest import balanced
from amiss.protocols.task import Task
from cells import ROOT, Cell, Row, held_apart, measured, work

EPOCHS = 50


def cells() -> list[Cell]:
    """Data set, normal class, method, seed; the cheap ones first, then seed by seed."""
    classes = [("mnist", 2), ("mnist", 8), ("fashion-mnist", 0), ("fashion-mnist", 6)]
    groups = [("knn", "pca"), ("cae", "gradcon")]
    return [(*c, method, seed) for methods in groups for seed in range(3) for c in classes for method in methods]


def protocol(name: str, normal: int, seed: int) -> tuple[Task, Images, Images]:
    """The paper's split, training images and held-out normals: 10 % for MNIST, the fourth fold for Fashion-MNIST."""
    if name == "fashion-mnist":
        task = FiveFolds(name, normal).task(load, seed)
        assert task.validation is not None
        return task, task.train, task.validation
    task = balanced(load(name, "train"), load(name, "test"), normal, seed)
    return task, *held_apart(task.train, seed)


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    """Fit and measure one cell."""
    name, normal, method_name, seed = str(cell[0]), int(cell[1]), str(cell[2]), int(cell[3])
    task, train, held_out = protocol(name, normal, seed)
    method = catalog.load(method_name)
    if "epochs" in {field.name for field in dataclasses.fields(method)}:
        method = dataclasses.replace(method, epochs=EPOCHS)  # type: ignore[call-arg]
    tests = {"test": (task.test, task.labels)}
    row, _ = measured(method, train, held_out, tests, seed, workdir, reporter)
    known = {"dataset": name, "class": normal, "method": method_name, "seed": seed, "protocol": task.name}
    return [{"cell": cell, **known, **row}]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "gradcon_short.jsonl")
