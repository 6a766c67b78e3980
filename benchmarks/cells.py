"""Runs the cells of a results file: those without a line, one at a time, each resumable; one line of JSON a cell."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from amiss import catalog
from amiss.artifact.file import versions
from amiss.contracts import Method, Scorer
from amiss.data.images import Images
from amiss.engine.fitting import Fitted, fit
from amiss.engine.progress import Reporter
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images, score_terms
from amiss.evaluation.result import evaluate
from amiss.protocols.labels import Labels

ROOT = Path(__file__).resolve().parent.parent
Cell = tuple[str | int, ...]
Row = dict[str, object]
PARTS = ("dataset", "class", "method", "seed")
Run = Callable[[Cell, Path, Reporter], list[Row]]
Tests = dict[str, tuple[Images, Labels]]


def measured(
    method: Method,
    train: Images,
    held_out: Images,
    tests: Tests,
    seed: int,
    workdir: Path,
    reporter: Reporter,
) -> tuple[Row, Fitted]:
    """Fit a method and measure it on test sets by name; the first one's metrics stand in the row itself."""
    started, before = time.perf_counter(), time.process_time()
    fitted = fit(
        method, train.spec, train, held_out, runtime=Runtime("cpu", seed=seed), workdir=workdir, progress=reporter
    )
    seconds, of_processor = time.perf_counter() - started, time.process_time() - before
    reporter.close()
    epochs = [record for record in fitted.log if record["event"] == "epoch" and "criterion" in record]
    best = min(epochs, key=lambda record: float(str(record["criterion"])), default=None)
    resumed = any(record["event"] == "resume" for record in fitted.log)  # then nobody knows what it cost
    row: Row = {
        "settings": catalog.to_settings(method),
        "train": len(train),
        "held_out": len(held_out),
        "restarts": sum(record["event"] == "restart" for record in fitted.log),
        "selected_epoch": best["epoch"] if best else None,
        "selection": "loss of held-out normals" if best else "none",
        **metrics(fitted.scorer, tests, seed),
        **({} if resumed else {"seconds": round(seconds, 1), "cpu_seconds": round(of_processor, 1)}),
        **provenance(),
    }
    return row, fitted


def metrics(scorer: Scorer, tests: Tests, seed: int) -> Row:
    """All metrics on the first test set, and those on the others by name."""
    found: dict[str, Row] = {}
    for name, (images, labels) in tests.items():
        terms = varying(score_terms(scorer, images))
        found[name] = {**evaluate(score_images(scorer, images), labels, terms=terms, seed=seed).to_json()}
    first, *others = found
    return {**found[first], **({"others": {name: found[name] for name in others}} if others else {})}


def varying(terms: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Terms that differ between images; a constant one, as the latent loss of a plain autoencoder, has no AUROC."""
    return {name: values for name, values in terms.items() if np.ptp(values) > 0}


def held_apart(images: Images, seed: int) -> tuple[Images, Images]:
    """Training images and a tenth held out for selection and reference scores, drawn by the seed."""
    shuffled = np.random.default_rng(seed).permutation(len(images))
    cut = len(shuffled) // 10
    return images.subset(np.sort(shuffled[cut:])), images.subset(np.sort(shuffled[:cut]))


def provenance() -> Row:
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
    """Cells that have a line already; lines of older files name their cell by its parts."""
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return {tuple(row["cell"]) if "cell" in row else tuple(row[part] for part in PARTS) for row in rows}


def claimed(workdir: Path) -> bool:
    """Take a cell for this process, so that several can share the work; False where another that lives has it."""
    workdir.mkdir(parents=True, exist_ok=True)
    owner = workdir / "owner"
    if owner.exists() and Path(f"/proc/{owner.read_text()}").exists():
        return False
    owner.write_text(str(os.getpid()))
    return True


def work(description: str, cells: Sequence[Cell], run: Run, out: Path) -> None:
    """Run what has no line yet: all of it, a share (`--part 1/2`), or the cells that hold every word given."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only cells in which all of these stand; a,b: either")
    parser.add_argument("--part", default="1/1", help="which share of the cells, as K/N")
    parser.add_argument("--threads", type=int, help="of each process; the cores divided by the shares, if not given")
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--scratch", type=Path, default=ROOT / "results" / ".scratch", help="where checkpoints go")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    torch.set_num_threads(args.threads or max(1, (os.cpu_count() or 1) // parts))
    chosen = [cell for cell in cells if all(set(word.split(",")) & set(map(str, cell)) for word in args.words)]
    reporter = Reporter()
    for i, cell in enumerate(chosen):
        if i % parts != part - 1 or cell in done(args.out):
            continue
        workdir = args.scratch / "-".join(map(str, (out.stem, *cell)))
        if not claimed(workdir):
            continue
        rows = run(cell, workdir, reporter)
        with args.out.open("a") as file:
            file.write("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
        shutil.rmtree(workdir, ignore_errors=True)
        for row in rows:
            print(
                row["cell"],
                f"AUROC {row['image_AUROC']:.3f}",
                row["terms_auroc"],
                f"{row.get('seconds', '?')} s",
                flush=True,
            )
