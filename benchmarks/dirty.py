"""Are bad training images found, and does a refit after their review help? 5 % planted images of other classes.

    AMISS_DATA=DIR python benchmarks/dirty.py [WORD ...] [--part 1/2] [--out results/dirty.jsonl]

One line of JSON per cell (data set, class, method, seed), resumable. 1,900 official training images of a class and 100
of other classes, drawn by the seed, are given as normal; the test is every official test image of the class and as many
of others. Detectors decide at 5 % false alarms and set aside their calibration images themselves, so planted images
calibrate too. GradCon trains for 12 epochs. kNN with 20 neighbours was chosen on the seeds 10 and 11.

`found`: share of the planted images among the 10 % most suspicious, by the scores of the fitted detector (in_sample:
four fifths of the images trained it) and by fits on the other three of four folds (out_of_fold). Then a review marks
those 10 % truthfully: the planted ones among them leave, as `amiss refit` drops them, and the same detector is fitted
anew. `before`, `after` for each of the two lists, and `clean`, without any planted image, hold the AUROC, the share of
test anomalies that is detected and of normal test images that is flagged. Labels of training images serve the review
alone. Images whose copy is tested do not train.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amiss import catalog
from amiss.contracts import Method
from amiss.data.images import Images
from amiss.data.labelled import Labelled
from amiss.data.sets import load
from amiss.detector import Detector
from amiss.engine.progress import Reporter
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images
from amiss.evaluation.metrics import auroc
from amiss.evaluation.suspicious import suspicion
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.protocols.labels import METRIC, Labels
from amiss.protocols.one_vs_rest import balanced
from amiss.protocols.reviewed import split_reviewed
from cells import ROOT, Cell, Row, provenance, work

TRAIN, SHARE, REVIEWED, FOLDS, EPOCHS = 2000, 0.05, 0.1, 4, 12
SEEDS = range(2)
CLASSES = {("fashion-mnist", "T-shirt"): 0, ("mnist", "8"): 8}
METHODS: dict[str, Method] = {"knn": KNN(), "knn_20": KNN(k=20), "pca": PCA(), "gradcon": GradCon(epochs=EPOCHS)}


def cells() -> list[Cell]:
    """Data set, normal class, method, seed."""
    return [(*names, method, seed) for names in CLASSES for seed in SEEDS for method in METHODS]


def planted(own: Images, train: Labelled, normal: int, seed: int) -> tuple[Images, NDArray[np.bool_]]:
    """Training images in random order, and which of them are of other classes, (N,)."""
    rng = np.random.default_rng([seed, 5])
    bad = round(SHARE * TRAIN)
    chosen = rng.choice(len(own), TRAIN - bad, replace=False)
    others = rng.choice(np.flatnonzero(train.labels != normal), bad, replace=False)
    every = np.arange(TRAIN)
    pixels = torch.cat([own.take(chosen), train.images.take(others)]).numpy()
    order = rng.permutation(every)
    return Images(pixels[order]), (every >= TRAIN - bad)[order]


def fitted(method: Method, images: Images, wrong: NDArray[np.bool_], seed: int, reporter: Reporter) -> Detector:
    """A detector of what a review leaves; wrong: (N,) which images it marks as anomalies."""
    detector = Detector(method, random_state=seed, device="cpu", keep_images=False)
    marked = [digest.decode() for digest in images.digests()[wrong]]
    parts = split_reviewed(images, np.ones(len(images), bool), marked, [], detector.split)
    return detector.fit_split(parts.images, parts.split, progress=reporter)


def measured(detector: Detector, test: Images, labels: Labels) -> Row:
    scores, known = score_images(detector.artifact.scorer, test), labels.reveal(METRIC) == 1
    data = detector.artifact.record["data"]
    assert isinstance(data, dict)  # the detector wrote it
    flagged = detector.calibration.predict(scores) == 1
    return {
        "auroc": auroc(scores, known),
        "detected": float(flagged[known].mean()),
        "false_alarms": float(flagged[~known].mean()),
        "data": {part: n for part, n in data.items() if part in ("train", "held_out", "calibration")},
    }


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    dataset, name, method, seed = str(cell[0]), str(cell[1]), METHODS[str(cell[2])], int(cell[3])
    normal, train = CLASSES[dataset, name], load(dataset, "train")
    task = balanced(train, load(dataset, "test"), normal, seed)
    images, bad = planted(task.train, train, normal, seed)
    started, before = time.perf_counter(), time.process_time()
    nothing = np.zeros(len(bad), bool)
    dirty = fitted(method, images, nothing, seed, reporter)
    runtime = Runtime("cpu", seed=seed)
    lists = {
        "in_sample": score_images(dirty.artifact.scorer, images),
        "out_of_fold": suspicion(method, images, folds=FOLDS, runtime=runtime, progress=reporter),
    }
    top = {of: np.isin(np.arange(TRAIN), np.argsort(-s)[: round(REVIEWED * TRAIN)]) for of, s in lists.items()}
    detectors = {"before": dirty} | {of: fitted(method, images, bad & seen, seed, reporter) for of, seen in top.items()}
    detectors["clean"] = fitted(method, images, bad, seed, reporter)
    reporter.close()
    results = {of: measured(detector, task.test, task.labels) for of, detector in detectors.items()}
    row: Row = {
        "cell": cell,
        "dataset": dataset,
        "class": name,
        "method": cell[2],
        "seed": seed,
        "settings": catalog.to_settings(method),
        "protocol": task.name,
        "images": TRAIN,
        "planted": int(bad.sum()),
        "folds": FOLDS,
        "found": {of: float(bad[seen].sum() / bad.sum()) for of, seen in top.items()},
        "auroc_of_list": {of: auroc(scores, bad) for of, scores in lists.items()},
        "image_AUROC": results["before"]["auroc"],
        "terms_auroc": {of: result["auroc"] for of, result in results.items() if of != "before"},
        "before": results.pop("before"),
        "clean": results.pop("clean"),
        "after": results,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - before, 1),
        **provenance(),
    }
    return [row]


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "dirty.jsonl")
