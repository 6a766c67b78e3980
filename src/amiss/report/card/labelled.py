"""Measured on labelled images: how well the model separates them, what its decision does, and where baselines stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss import catalog
from amiss.contracts import Progress
from amiss.data.images import Images
from amiss.detector import Detector
from amiss.engine.progress import renamed
from amiss.engine.scoring import score_images
from amiss.evaluation.metrics import Interval, aupr_out, auroc, auroc_interval
from amiss.evaluation.resampling import Share, bootstrap, share
from amiss.evaluation.result import Result, evaluate
from amiss.protocols.labels import Labels
from amiss.protocols.split import Split
from amiss.report.card.inputs import Scored

BASELINES = {"knn": "kNN on raw pixels", "pca": "PCA on raw pixels"}
SEED = 0
"""Of every bootstrap, as `amiss evaluate` has it."""


@dataclass(frozen=True, eq=False)
class Separation:
    """How well scores tell anomalous images from normal ones."""

    result: Result
    aupr: Interval
    detected: Share | None
    """Anomalous images above the threshold; None without one."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Figures of the labelled images; without anomalous ones, of the decision alone."""

    normal: NDArray[np.float64]
    anomalous: NDArray[np.float64]
    alarms: Share | None
    """Normal images above the threshold; None without one."""
    separation: Separation | None


@dataclass(frozen=True)
class Rival:
    """A baseline, fitted on the same training images and measured on the same labelled images."""

    title: str
    auroc: float
    interval: Interval
    ahead: float
    """AUROC of the model less that of the baseline."""
    difference: Interval
    """Of that, by resamples of the images that both have scored."""
    detected: Share | None


def measure_labelled(detector: Detector, normal: Scored, anomalous: Scored | None, progress: Progress) -> Labelled:
    """Measure the model on labelled images."""
    threshold = detector.threshold_
    others = np.empty(0) if anomalous is None else anomalous.scores
    alarms = above(normal.scores, threshold)
    if anomalous is None:
        return Labelled(normal.scores, others, alarms, None)
    scores, labels = joined(normal.scores, others)
    aupr = bootstrap(
        lambda i: aupr_out(scores[i], labels[i]), labels, seed=SEED, progress=renamed(progress, "resampling the AUPR")
    )
    found = evaluate(scores, Labels(labels), seed=SEED)
    return Labelled(normal.scores, others, alarms, Separation(found, aupr, above(others, threshold)))


def measure_rivals(
    detector: Detector, normal: Scored, anomalous: Scored, training: tuple[Images, Split], progress: Progress
) -> list[Rival]:
    """Fit the baselines on the images that trained the model, and measure them on the same labelled images."""
    own, labels = joined(normal.scores, anomalous.scores)
    found = []
    for name, title in BASELINES.items():
        if catalog.load(name) == detector.artifact.method:
            continue
        baseline = Detector(
            name,
            fpr=detector.artifact.fpr,
            random_state=detector.artifact.seed,
            device=detector.runtime.device,
            keep_images=False,
        )
        baseline.fit_split(*training, progress=renamed(progress, f"fitting {title}"))
        scorer, told = baseline.artifact.scorer, renamed(progress, f"scoring with {title}")
        scores = np.concatenate([score_images(scorer, part.images, told) for part in (normal, anomalous)])
        found.append(_rival(title, own, scores, labels, baseline.threshold_, progress))
    return found


def _rival(
    title: str,
    own: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    threshold: float | None,
    progress: Progress,
) -> Rival:
    def ahead(i: NDArray[np.intp]) -> float:
        return auroc(own[i], labels[i]) - auroc(scores[i], labels[i])

    told = renamed(progress, f"resampling the difference to {title}")
    return Rival(
        title,
        auroc(scores, labels),
        auroc_interval(scores, labels, seed=SEED),
        auroc(own, labels) - auroc(scores, labels),
        bootstrap(ahead, labels, seed=SEED, progress=told),
        above(scores[labels == 1], threshold),
    )


def joined(
    normal: NDArray[np.float64], anomalous: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores (N,) of both, and labels (N,)."""
    return np.concatenate([normal, anomalous]), np.repeat([0, 1], [len(normal), len(anomalous)]).astype(np.int64)


def above(scores: NDArray[np.float64], threshold: float | None) -> Share | None:
    """Share of scores (N,) above the threshold; None without one."""
    return None if threshold is None else share(int((scores > threshold).sum()), len(scores))
