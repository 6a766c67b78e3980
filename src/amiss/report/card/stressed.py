"""Measured under strain: attacked images, images under made conditions, and recent images that may have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from amiss import catalog
from amiss.calibration.conformal import Calibration
from amiss.calibration.drift import Drift, drift
from amiss.contracts import InputError, Progress
from amiss.data.images import Images
from amiss.detector import Detector
from amiss.engine.batches import batch
from amiss.engine.runtime import derive, place
from amiss.engine.scoring import MICRO_BATCH, device_of, score_images
from amiss.evaluation.resampling import Share
from amiss.evaluation.robustness import Attacked, attacked_auroc
from amiss.protocols.labels import Labels
from amiss.report.card.content import LeftOut
from amiss.report.card.inputs import Scored
from amiss.report.card.labelled import above, joined
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt

MOST = 500
"""Images that are scored under every condition, drawn by the model's seed: forty times as many scores."""
SMALLEST = 16
"""Shortest side in pixels on which the conditions are what they are called."""


@dataclass(frozen=True)
class Changed:
    """Images under one condition at one level; level 0 is as they are."""

    above: Share | None
    """Those above the threshold; None without one."""
    shift: float
    """Median change of the normal percentile, from -100 to 100."""


@dataclass(frozen=True)
class Corrupted:
    """Normal images as they are, and under each condition at each level, the mildest first."""

    of: str
    """Which images."""
    n: int
    clean: Changed
    conditions: dict[str, tuple[Changed, ...]]
    left_out: tuple[str, ...]
    """Why a condition is not among them."""


@dataclass(frozen=True)
class Drifted:
    """Whether recent images are still like those that calibrate."""

    test: Drift
    above: Share | None
    percentile: float
    """Median normal percentile of the recent images: 50 where nothing has changed."""


def measure_attack(
    detector: Detector, normal: Scored, anomalous: Scored, eps: Sequence[float], progress: Progress
) -> list[Attacked] | LeftOut:
    """AUROC of clean images and for each radius, ascending; a score that cannot be attacked is left out."""
    method, scorer = catalog.name_of(detector.artifact.method), detector.artifact.scorer
    if not scorer.differentiable:
        return LeftOut(
            f"{method} is not differentiable: its score has no gradient by the image that an attack follows."
        )
    images = Images(np.concatenate([_pixels(part.images) for part in (normal, anomalous)]))
    labels = Labels(joined(normal.scores, anomalous.scores)[1])
    radii = sorted({0.0, *eps})
    try:
        return attacked_auroc(scorer, images, labels, radii, progress=progress)
    except InputError as error:  # radii and labels are accepted already: the score does not depend on the image
        return LeftOut(f"{error}.")


def measure_corruptions(detector: Detector, images: Images, of: str, progress: Progress) -> Corrupted | LeftOut:
    """Score normal images under every condition at every level.

    of: what the card calls the images. The same of them, and the same rain, for every model of that seed.
    """
    spec, seed = detector.layout.spec, detector.artifact.seed
    if min(spec.height, spec.width) < SMALLEST:
        return LeftOut(
            f"The conditions are made for images of {SMALLEST} pixels and more a side; the model's are smaller."
        )
    place(detector.artifact.scorer, detector.runtime.resolve())
    chosen = np.sort(np.random.default_rng(derive(seed, "corruptions")).permutation(len(images))[:MOST])
    some = images.subset(chosen)
    clean = score_images(detector.artifact.scorer, some)
    calibration = detector.calibration
    names = [name for name in CONDITIONS if name != "decolorization" or spec.channels == 3]
    found: dict[str, tuple[Changed, ...]] = {}
    done, total = 0, len(names) * len(LEVELS)
    for name in names:
        rows = []
        for level in LEVELS:
            rows.append(_changed(calibration, clean, _scores_under(detector, some, name, level)))
            progress("scoring under conditions", done := done + 1, total, f"{name} {level}")
        found[name] = tuple(rows)
    grey = () if len(names) == len(CONDITIONS) else ("decolorization: the images are grey already",)
    return Corrupted(of, len(some), _changed(calibration, clean, clean), found, grey)


def _scores_under(detector: Detector, images: Images, condition: str, level: int) -> NDArray[np.float64]:
    scorer, seed = detector.artifact.scorer, detector.artifact.seed
    device, cpu = device_of(scorer), torch.device("cpu")
    parts = []
    with torch.no_grad():
        for start in range(0, len(images), MICRO_BATCH):
            x = batch(images, np.arange(start, min(start + MICRO_BATCH, len(images))), cpu)
            x = corrupt(x, condition, level, seed=seed, first=start).to(device)
            parts.append(scorer(x).double().cpu().numpy())
    return np.concatenate(parts)


def _changed(calibration: Calibration, clean: NDArray[np.float64], scores: NDArray[np.float64]) -> Changed:
    shift = calibration.normal_percentile(scores) - calibration.normal_percentile(clean)
    return Changed(above(scores, calibration.threshold), float(np.median(shift)))


def measure_drift(detector: Detector, recent: Scored) -> Drifted:
    """Compare images that should be normal with those that calibrate."""
    calibration = detector.calibration
    return Drifted(
        drift(calibration.scores, recent.scores, seed=detector.artifact.seed),
        above(recent.scores, calibration.threshold),
        float(np.median(calibration.normal_percentile(recent.scores))),
    )


def _pixels(images: Images) -> NDArray[np.generic]:
    return images.take(np.arange(len(images))).numpy()
