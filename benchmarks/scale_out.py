"""Measures how scoring and fitting many detectors scale from one worker to two, with Ray on this machine.

Scores copies of the demo's images with GradCon, and fits GradCon on folders of them, on a cluster of one processor and
of two in turn, and writes every run, with the load of the machine before and after it, to results/scale_out.json:

    python benchmarks/scale_out.py [--repeats 3] [--patience 0]

A run's rate is taken from its first finished shard to its last, so that starting Ray and loading torch does not count;
the seconds of the whole call stand beside it. Labels of all runs are compared with those of one process. Before each
run it waits, for `--patience` seconds at most, until the machine is quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amiss import Detector
from amiss.artifact.file import versions
from amiss.data.demo import load_demo
from amiss.methods.gradcon import GradCon
from amiss.scale.each import Asked
from amiss.scale.fit_each import FitEach
from amiss.scale.fitters import FitOnRay
from amiss.scale.on_ray import OnRay
from amiss.scale.output import read_scores
from amiss.scale.scoring import Engine, in_process, score_sharded

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "scale_out.json"
COPIES, SHARD = 12, 512
FOLDERS, EACH, EPOCHS = 6, 200, 5
WORKERS = (1, 2)
QUIET: dict[str, object] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}


def write_images(folder: Path) -> tuple[Path, Path]:
    """Folders to score and to fit on."""
    demo = load_demo()
    for copy in range(COPIES):
        (folder / "new" / f"{copy:02}").mkdir(parents=True)
        for i, image in enumerate(demo.test.take(np.arange(1000)).numpy()[:, 0]):
            Image.fromarray(image).save(folder / "new" / f"{copy:02}" / f"{i:04}.png")
    for part in range(FOLDERS):
        (folder / "parts" / f"{part}").mkdir(parents=True)
        for i, image in enumerate(demo.train.take(np.arange(part * EACH, (part + 1) * EACH)).numpy()[:, 0]):
            Image.fromarray(image).save(folder / "parts" / f"{part}" / f"{i:04}.png")
    return folder / "new", folder / "parts"


class Clock:
    """Notes when shards are finished."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def __call__(self, what: str, done: int, total: int, detail: str) -> None:
        if what in ("scoring shards", "fitting"):
            self.ticks.append(time.perf_counter())

    def rate(self, per_tick: float) -> float:
        """Things a second, from the first tick to the last."""
        return per_tick * (len(self.ticks) - 1) / (self.ticks[-1] - self.ticks[0])


def scored(detector: Detector, source: Path, out: Path, engine: Engine) -> tuple[float, float]:
    """Images a second, and the seconds of the call."""
    shutil.rmtree(out, ignore_errors=True)
    clock, started = Clock(), time.perf_counter()
    outcome = score_sharded(detector, source, out, engine=engine, shard_images=SHARD, progress=clock)
    return clock.rate(outcome.images / outcome.shards), time.perf_counter() - started


def fitted(root: Path, models: Path) -> tuple[float, float]:
    """Fits a minute, and the seconds of the call."""
    shutil.rmtree(models, ignore_errors=True)
    clock, started = Clock(), time.perf_counter()
    rows = FitEach(root, models, Asked(GradCon(epochs=EPOCHS)), "cpu").run(FitOnRay(), clock)
    if {row.status for row in rows} != {"fitted"}:
        sys.exit(f"a fit failed: {rows}")
    seconds = time.perf_counter() - started
    return 60 * len(rows) / seconds, seconds


def quiet(patience: float) -> float:
    """Wait until fewer processes want to run than there are cores, or the patience ends; the load then."""
    started = time.monotonic()
    while os.getloadavg()[0] > (os.cpu_count() or 1) and time.monotonic() - started < patience:
        time.sleep(2)
    return os.getloadavg()[0]


def main() -> None:
    """Measure, in turn, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--patience", type=float, default=0.0)
    options = parser.parse_args()
    import ray

    torch.set_num_threads(1)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    runs: list[dict[str, object]] = []

    def note(what: str, workers: int, repeat: int, before: float, made: tuple[float, float]) -> None:
        row = {"what": what, "workers": workers, "repeat": repeat, "rate": round(made[0], 2)}
        runs.append({**row, "seconds": round(made[1], 1), "load": [round(before, 1), round(os.getloadavg()[0], 1)]})
        print(runs[-1], flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        new, parts = write_images(folder)
        detector = Detector(GradCon(epochs=1), fpr=0.05, device="cpu").fit(parts / "0", check=False)
        for repeat in range(options.repeats):
            note("process", 1, repeat, quiet(options.patience), scored(detector, new, folder / "process", in_process))
            for workers in WORKERS:
                ray.init("local", num_cpus=workers, object_store_memory=200 << 20, **QUIET)
                out = folder / f"ray{workers}"
                note("score", workers, repeat, quiet(options.patience), scored(detector, new, out, OnRay()))
                if read_scores(out).columns()["pred_label"].tolist() != labels(folder / "process"):
                    sys.exit("labels on Ray are not those of one process")
                note("fit", workers, repeat, quiet(options.patience), fitted(parts, folder / "models"))
                ray.shutdown()
            write(runs)


def write(runs: list[dict[str, object]]) -> None:
    """Write what has been measured so far."""
    import ray

    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=True)
    facts = {
        "images": COPIES * 1000,
        "shard": SHARD,
        "folders": FOLDERS,
        "images_each": EACH,
        "epochs": EPOCHS,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "nice": os.nice(0),
        "commit": commit.stdout.strip(),
        "versions": {**versions(), "ray": ray.__version__},
        "runs": runs,
    }
    OUT.write_text(json.dumps(facts, indent=1) + "\n")


def labels(out: Path) -> list[int]:
    """Labels of one process, in the order of the source."""
    return list(read_scores(out).columns()["pred_label"].tolist())


if __name__ == "__main__":
    main()
