"""HistoryAD's figures at short budgets: noise of rising sigma (Fig. 6), KMNIST (Fig. 5), a left-out digit (Fig. 7).

    AMISS_DATA=DIR python benchmarks/history_short.py [WORD ...] [--part 1/2] [--out results/history_short.jsonl]

One line of JSON per cell (data set, left-out digit or -1, method, seed), resumable. Normal: 10,000 official training
digits drawn by the seed, less a tenth that is held out. Tests: the first 2,000 official test digits against as many
KMNIST test images, against themselves with Gaussian noise, and, where a digit is left out, against all its test images.
Settings were fixed before the runs. Labels are used for the metric alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from amiss import catalog
from amiss.data.images import Images
from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.engine.scoring import score_images
from amiss.protocols.labels import Labels
from cells import ROOT, Cell, Row, held_apart, measured, work

SEEDS = range(3)
METHODS = ("knn", "pca", "history_ad", "history_ad_init")
SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
TRAIN, TEST = 10_000, 2_000
DIGIT = 8


def cells() -> list[Cell]:
    """Data set, digit that is left out (-1: none), method, seed."""
    return [("mnist", digit, name, seed) for seed in SEEDS for digit in (-1, DIGIT) for name in METHODS]


def against(normal: Images, anomalous: Images) -> tuple[Images, Labels]:
    """A test set of two kinds of images."""
    pixels = [part.take(np.arange(len(part))).numpy() for part in (normal, anomalous)]
    return Images(np.concatenate(pixels)), Labels(np.repeat([0, 1], [len(normal), len(anomalous)]))


def noisy(images: Images, sigma: float, seed: int) -> Images:
    """Gaussian noise of standard deviation sigma (of white = 1), clipped, in 8 bits again."""
    x = images.take(np.arange(len(images))).numpy() / 255
    x = x + np.random.default_rng(seed).normal(0, sigma, x.shape)
    return Images(np.rint(255 * x.clip(0, 1)).astype(np.uint8))


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    digit, name, seed = int(cell[1]), str(cell[2]), int(cell[3])
    official, test = load("mnist", "train"), load("mnist", "test")
    own = np.flatnonzero(official.labels != digit)
    drawn = np.sort(np.random.default_rng(seed).choice(own, TRAIN, replace=False))
    train, held_out = held_apart(official.images.subset(drawn), seed)
    normal = test.images.subset(np.flatnonzero(test.labels != digit)[:TEST])
    if digit >= 0:
        tests = {"digit": against(normal, test.images.subset(np.flatnonzero(test.labels == digit)))}
    else:
        other = load("kmnist", "test").images
        tests = {"kmnist": against(normal, other.subset(np.arange(TEST)))}
        tests |= {f"noise {sigma}": against(normal, noisy(normal, sigma, seed)) for sigma in SIGMAS}
    row, fitted = measured(catalog.load(name), train, held_out, tests, seed, workdir, reporter)
    means = {key: score_images(fitted.scorer, images) for key, (images, _) in tests.items()}
    row["mean_score"] = {key: float(scores[TEST:].mean()) for key, scores in means.items()}
    row["mean_score_normal"] = float(next(iter(means.values()))[:TEST].mean())
    reporter.close()
    protocol = f"all digits but {digit}" if digit >= 0 else "all digits"
    return [
        {"cell": cell, "dataset": "mnist", "class": digit, "method": name, "seed": seed, "protocol": protocol, **row}
    ]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "history_short.jsonl")
