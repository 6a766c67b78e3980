"""How soon a dead start shows: the spread of restored images in the first steps, class by class.

    AMISS_DATA=DIR python benchmarks/dead_starts.py [--part 1/2] [--out results/dead_starts.jsonl]

One line of JSON per cell (data set, class, method, seed), resumable. Networks begin at mid-grey, as the paper's.
`spread` is how far restored training images lie from their mean, as a share of how far the images themselves do, after
so many steps: what `health.one_picture` looks at after 300. No label and no anomaly takes part.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amiss import catalog
from amiss.data.sets import load
from amiss.engine.batches import batch
from amiss.methods.gradcon import GradCon, GradConLearner
from cells import ROOT, Cell, Row, done, provenance

STEPS, LOOKS = 400, (100, 200, 300, 400)


def cells() -> list[Cell]:
    """Data set, class, method, seed."""
    return [
        (dataset, c, method, 0)
        for dataset, methods in (("mnist", ("gradcon", "cae", "vae")), ("fashion-mnist", ("gradcon",)))
        for method in methods
        for c in range(10)
    ]


def spread(images: Tensor) -> float:
    """How far images (B, C, H, W) lie from their mean: root mean square."""
    return (images.double() - images.double().mean(0)).square().mean().sqrt().item()


def run(cell: Cell) -> Row:
    """Train one network for a few epochs, and look at what it restores."""
    dataset, c, name, seed = cell
    data = load(str(dataset), "train")
    images = data.images.subset(np.flatnonzero(data.labels == c))
    x = batch(images, np.arange(len(images)), torch.device("cpu"))
    method = catalog.load(str(name))
    assert isinstance(method, GradCon)
    torch.manual_seed(int(seed))
    learner = replace(method, centred=False).learner(images.spec)
    found: dict[str, float] = {}
    order = torch.cat([torch.randperm(len(x)) for _ in range(1 + STEPS * method.batch_size // len(x))])
    for step, index in enumerate(order.split(method.batch_size)[:STEPS], start=1):
        learner.train().step(x[index])
        if step in LOOKS:
            found[str(step)] = restored(learner.eval(), x[::21])
    known = {"dataset": dataset, "class": c, "method": name, "seed": seed}
    return {"cell": cell, **known, "train": len(x), "spread": found, **provenance()}


@torch.no_grad()
def restored(learner: GradConLearner, x: Tensor) -> float:
    """Spread of the restored images as a share of that of the images (B, C, H, W)."""
    return round(spread(learner.vitals(x)["reconstruction"]) / spread(x), 5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only cells in which all of these stand")
    parser.add_argument("--part", default="1/1", help="which share of the cells, as K/N")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "dead_starts.jsonl")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    torch.set_num_threads(1)
    for i, cell in enumerate(cells()):
        if i % parts == part - 1 and cell not in done(args.out) and set(args.words) <= set(map(str, cell)):
            row = run(cell)
            with args.out.open("a") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
            print(cell, row["spread"], flush=True)
