"""The page of a fit: its own images, the most suspicious first, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.images import Images
from amiss.data.tiled import ImageSet
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.evaluation.suspicious import suspicion
from amiss.report.assemble import Builder, advice, after, cards, coarse, decision_facts, made, pictures_of
from amiss.report.charts import Group, histogram
from amiss.report.page import Fact, Page, Section
from amiss.report.training import gap_line, training_section
from amiss.report.words import counted, shown

CHUNK = 256
PARTS = {
    "train": Fact("Trained on", "", "images"),
    "held_out": Fact("Held out", "", "images that chose the epoch"),
    "calibration": Fact("Calibrated on", "", "images that training did not see"),
}


def fit_page(
    detector: Detector,
    what: str,
    *,
    model: str = "",
    folds: int = 1,
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> Page:
    """The page of a fit that this detector has just made on `what`.

    folds: so many further fits rank each image without having seen it; 1 ranks them by the model's own score.
    Raises InputError for a detector that was loaded, which has no training images any more.
    """
    images = _images(detector)
    ranks = None
    if folds > 1:
        ranks = suspicion(detector.method, images, folds=folds, runtime=detector.runtime, progress=progress)
    seen = Builder(detector)
    scores = detector.decision_scores_
    for part, index in _parts(detector, images).items():
        size = CHUNK if isinstance(images, Images) else 1  # tiled ones are large, and of any size
        for start in range(0, len(index), size):
            at = index[start : start + size]
            names = [images.name(int(i)) for i in at]
            by = None if ranks is None else ranks[at]
            pixels = images.take(at).numpy() if isinstance(images, Images) else images.whole(int(at[0]))[None]
            seen.add(names, scores[at], pixels, where=part, suspicion=by)
    return _page(seen, what, model, notes, progress)


def _images(detector: Detector) -> ImageSet:
    images = detector._images  # what decision_scores_ are the scores of
    if images is None:
        raise InputError("the training images are not part of a model file: a page of a fit is made right after it")
    return images


def _parts(detector: Detector, images: ImageSet) -> Mapping[str, NDArray[np.int64]]:
    """Positions of the images of each set; the same images and seed are always divided in the same way."""
    parts = detector.split(images)
    named = {"train": parts.train, "held_out": parts.held_out, "calibration": parts.calibration}
    return {name: index for name, index in named.items() if len(index)}


def _page(seen: Builder, what: str, model: str, notes: Sequence[str], progress: Progress) -> Page:
    detector, collector = seen.detector, seen.collector
    calibration, sets, kept = detector.calibration, collector.sets, collector.kept()
    explained, neighbours = pictures_of(seen, kept, progress)
    gap = gap_line(sets["train"], calibration.scores)
    training = training_section(detector.artifact, [gap] if gap else [])
    groups = [Group("calibration, normal", calibration.scores, "outline"), Group("trained on", sets["train"], "filled")]
    chart = histogram(groups, calibration.threshold, title="Share of images by score")
    facts = [Fact(PARTS[name].term, f"{len(sets[name]):,}", PARTS[name].note) for name in PARTS if name in sets]
    ranked = any(one.suspicion is not None for one in kept)
    return Page(
        title=f"Fit on {shown(what)}",
        lead=(
            f"{counted(len(collector.scores), 'image')}, the most suspicious first. A bad image among them teaches the "
            "model that it is normal: mark it as anomaly, and refit."
        ),
        made=made(detector, model),
        facts=(*facts, *decision_facts(calibration, None)),
        sections=(Section("Scores", SCORES, (chart,)), *((training,) if training else ())),
        cards=cards(kept, calibration, explained, neighbours),
        advice=f"{RANKED if ranked else UNRANKED} {advice(len(collector.scores), len(kept))}".strip(),
        warnings=explained.warnings,
        after=after(model),
        notes=tuple(notes),
        threshold=calibration.threshold,
        scale=explained.scale,
        shared=neighbours.pictures,
        coarse=coarse(detector.layout),
    )


SCORES = "Filled: the images that the model was trained on. Outlined: those that calibrate, which training did not see."
RANKED = (
    "Ranked by fits that had not seen the image: suspicion counts median absolute deviations above the median. "
    "The score is the model's own."
)
UNRANKED = (
    "The model has seen the images that it was trained on, which therefore score lower than new ones; one that learns "
    "images by heart, such as kNN, may hide a bad one (--report-folds 5 ranks them by fits that have not seen them)."
)
