"""GradCon against the plain autoencoder, kNN and PCA at 50 epochs: MNIST 2 and 8, Fashion-MNIST 0 and 6, three seeds.

    AMISS_DATA=DIR python benchmarks/gradcon_short.py [--part 1/2] [--out results/gradcon_short.jsonl]

One line of JSON per cell (data set, class, method, seed). Cells that have a line are not run again, and a cell that was
cut off goes on from its checkpoint, so the command can be stopped and started at will. Start one process for each part.
Labels are used for the metric alone: epochs are selected by the loss of held-out normal images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from amiss import catalog
from amiss.artifact.file import versions
from amiss.data.images import Images
from amiss.data.sets import load
from amiss.engine.fitting import fit
from amiss.engine.progress import Reporter
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images, score_terms
from amiss.evaluation.result import evaluate
from amiss.protocols.one_vs_rest import OneVsRest, balanced, five_folds

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 50
Cell = tuple[str, int, str, int]


def cells() -> list[Cell]:
    """Data set, normal class, method, seed; the cheap ones first, then seed by seed."""
    classes = [("mnist", 2), ("mnist", 8), ("fashion-mnist", 0), ("fashion-mnist", 6)]
    groups = [("knn", "pca"), ("cae", "gradcon")]
    return [(*c, method, seed) for methods in groups for seed in range(3) for c in classes for method in methods]


def protocol(name: str, normal: int, seed: int) -> tuple[OneVsRest, Images, Images]:
    """The paper's split, training images and held-out normals: 10 % for MNIST, the fourth fold for Fashion-MNIST."""
    train, test = load(name, "train"), load(name, "test")
    if name == "fashion-mnist":
        task = five_folds(train, test, normal, seed)
        assert task.validation is not None
        return task, task.train, task.validation
    task = balanced(train, test, normal, seed)
    shuffled = np.random.default_rng(seed).permutation(len(task.train))
    cut = len(shuffled) // 10
    return task, task.train.subset(np.sort(shuffled[cut:])), task.train.subset(np.sort(shuffled[:cut]))


def run(cell: Cell, scratch: Path, reporter: Reporter) -> dict[str, object]:
    """Fit and measure one cell."""
    name, normal, method_name, seed = cell
    task, train, held_out = protocol(name, normal, seed)
    method = catalog.load(method_name)
    if "epochs" in {field.name for field in dataclasses.fields(method)}:
        method = dataclasses.replace(method, epochs=EPOCHS)
    workdir = scratch / "-".join(map(str, cell))
    workdir.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    fitted = fit(
        method, train.spec, train, held_out, runtime=Runtime("cpu", seed=seed), workdir=workdir, progress=reporter
    )
    seconds = time.perf_counter() - started
    result = evaluate(
        score_images(fitted.scorer, task.test),
        task.labels,
        terms=varying(score_terms(fitted.scorer, task.test)),
        seed=seed,
    )
    reporter.close()
    shutil.rmtree(workdir)
    epochs = [record for record in fitted.log if record["event"] == "epoch" and "criterion" in record]
    best = min(epochs, key=lambda record: float(str(record["criterion"])), default=None)
    return {
        "dataset": name,
        "class": normal,
        "method": method_name,
        "seed": seed,
        "settings": catalog.to_settings(method),
        "protocol": task.name,
        "train": len(train),
        "held_out": len(held_out),
        "restarts": sum(record["event"] == "restart" for record in fitted.log),
        "selected_epoch": best["epoch"] if best else None,
        "selection": "loss of held-out normals" if best else "none",
        **result.to_json(),
        "seconds": round(seconds, 1),
        **provenance(),
    }


def varying(terms: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Terms that differ between images; a constant one, as the latent loss of a plain autoencoder, has no AUROC."""
    return {name: values for name, values in terms.items() if np.ptp(values) > 0}


def provenance() -> dict[str, object]:
    """What a reader needs to run the same again."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "commit": commit,
        "versions": versions(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def done(out: Path) -> set[Cell]:
    """Cells that have a line already."""
    if not out.exists():
        return set()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {(row["dataset"], row["class"], row["method"], row["seed"]) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="1/1", help="which share of the cells, as K/N")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gradcon_short.jsonl")
    parser.add_argument("--scratch", type=Path, default=ROOT / "results" / ".scratch", help="where checkpoints go")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // parts))
    reporter = Reporter()
    for i, cell in enumerate(cells()):
        if i % parts != part - 1 or cell in done(args.out):
            continue
        row = run(cell, args.scratch, reporter)
        with args.out.open("a") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        terms = row["terms_auroc"]
        print(cell, f"AUROC {row['image_AUROC']:.3f}", terms, f"{row['seconds']} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
