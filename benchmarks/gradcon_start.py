"""What does it cost, and bring, that GradCon's images begin at the brightness of the data? The demo's T-shirts.

    python benchmarks/gradcon_start.py [WORD ...] [--part 1/2] [--out results/gradcon_start.jsonl]

One line of JSON per cell (start, seed), resumable. The images are the bundled ones of `amiss demo`: 40 epochs, a tenth
of the training images held out to select the epoch. Labels are used for the metric alone. "centred" is the start of the
default, "grey" that of the paper's code.
"""

from __future__ import annotations

from pathlib import Path

from amiss.data.demo import load_demo
from amiss.engine.progress import Reporter
from amiss.methods.gradcon import GradCon
from amiss.protocols.labels import Labels
from cells import ROOT, Cell, Row, held_apart, measured, work

EPOCHS = 40
STARTS = {"centred": True, "grey": False}


def cells() -> list[Cell]:
    """Start, seed; seed by seed, so that what is there compares."""
    return [(start, seed) for seed in range(3) for start in STARTS]


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    start, seed = str(cell[0]), int(cell[1])
    demo = load_demo()
    train, held_out = held_apart(demo.train, seed)
    tests = {"test": (demo.test, Labels(demo.test_labels))}
    method = GradCon(epochs=EPOCHS, centred=STARTS[start])
    row, _ = measured(method, train, held_out, tests, seed, workdir, reporter)
    return [{"cell": cell, "dataset": "demo", "start": start, "seed": seed, **row}]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "gradcon_start.jsonl")
