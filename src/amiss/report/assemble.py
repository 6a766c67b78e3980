"""Pages from what was collected: of a scoring run, of a measurement on labelled images, and of a fit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from amiss import __version__, catalog
from amiss.calibration.conformal import Calibration
from amiss.contracts import Progress
from amiss.data.images import Layout
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.evaluation.metrics import aupr_out, auroc, histogram_overlap
from amiss.report.charts import Group, histogram, precision_recall, roc
from amiss.report.collect import MOST, Collector, Kept
from amiss.report.explained import Explained, NearestFinder, Neighbours, explain
from amiss.report.page import Card, Fact, Page, Section, Tile
from amiss.report.pictures import EXACT
from amiss.report.training import training_section
from amiss.report.words import counted, number, percent, shown, split_path

NORMAL, ANOMALOUS = "normal", "anomalous"


@dataclass(eq=False)
class Builder:
    """Watches images being scored, and makes the page when all have passed."""

    detector: Detector
    most: int = MOST
    collector: Collector = field(init=False)
    nearest: NearestFinder = field(init=False)

    def __post_init__(self) -> None:
        self.collector = Collector(self.detector.layout, self.detector.threshold_, most=self.most)
        self.nearest = NearestFinder(self.detector)

    def add(
        self,
        names: Sequence[str],
        scores: NDArray[np.float64],
        pixels: NDArray[np.generic],
        *,
        where: str = "new",
        truth: str | None = None,
        suspicion: NDArray[np.float64] | None = None,
    ) -> None:
        """Take scores (B,) of images (B, C, H, W) in the model's layout; names (B,) are those of the score table."""
        rows = self.collector.add(names, scores, pixels, where=where, truth=truth, suspicion=suspicion)
        self.nearest.add(rows, names, pixels)

    def review(self, what: str, *, model: str = "", notes: Sequence[str] = (), progress: Progress = silent) -> Page:
        """The page of a scoring run over `what`; with both truths known, also of a measurement."""
        return _Review(self, what, model, tuple(notes)).page(progress)


@dataclass(frozen=True, eq=False)
class _Review:
    seen: Builder
    what: str
    model: str
    notes: tuple[str, ...]

    def page(self, progress: Progress) -> Page:
        detector, collector = self.seen.detector, self.seen.collector
        scores, calibration = collector.scores, detector.calibration
        kept = collector.kept()
        explained, neighbours = pictures_of(self.seen, kept, progress)
        training = training_section(detector.artifact, folded=True)
        return Page(
            title=f"Review of {shown(self.what)}",
            lead=_lead(scores, calibration),
            made=made(detector, self.model),
            facts=(*_measured(collector), *decision_facts(calibration, scores)),
            sections=(*self._sections(), *((training,) if training else ())),
            cards=cards(kept, calibration, explained, neighbours),
            advice=advice(len(scores), len(kept)),
            warnings=explained.warnings,
            after=after(self.model),
            notes=self.notes,
            threshold=calibration.threshold,
            scale=explained.scale,
            shared=neighbours.pictures,
            coarse=coarse(detector.layout),
        )

    def _sections(self) -> tuple[Section, ...]:
        collector, calibration = self.seen.collector, self.seen.detector.calibration
        truths = collector.truths
        if NORMAL in truths and ANOMALOUS in truths:
            return (_labelled(truths[NORMAL], truths[ANOMALOUS], calibration),)
        groups = [
            Group("calibration, normal", calibration.scores, "outline"),
            Group("these images", collector.scores, "filled"),
        ]
        chart = histogram(groups, calibration.threshold, title="Share of images by score")
        return (Section("Scores", scores_intro(calibration), (chart,)),)


def pictures_of(seen: Builder, kept: Sequence[Kept], progress: Progress) -> tuple[Explained, Neighbours]:
    """Explanations of some of the images that are shown, and the nearest training images of all."""
    names = {one.at: one.name for one in kept}
    collector = seen.collector
    explained = explain(seen.detector, collector.whole(), names, collector.window, progress)
    return explained, seen.nearest.neighbours(kept)


def cards(
    kept: Sequence[Kept], calibration: Calibration, explained: Explained, neighbours: Neighbours
) -> tuple[Card, ...]:
    """One card for each image that is shown, in the same order."""
    scores = np.array([one.score for one in kept])
    p_values = calibration.p_value(scores) if calibration.n else None
    percentiles = calibration.normal_percentile(scores) if calibration.n else None
    found = []
    for i, one in enumerate(kept):
        plain = (Tile("image", "image", split_path(one.name)[1], one.small),)
        near = neighbours.tiles.get(one.at)
        image, *others = explained.tiles.get(one.at, plain)
        found.append(
            Card(
                name=one.name,
                score=one.score,
                where=one.where,
                tiles=(image, *((near,) if near else ()), *others),
                p_value=None if p_values is None else float(p_values[i]),
                percentile=None if percentiles is None else float(percentiles[i]),
                above=None if calibration.threshold is None else one.score > calibration.threshold,
                truth=one.truth,
                suspicion=one.suspicion,
            )
        )
    return tuple(found)


def decision_facts(calibration: Calibration, scores: NDArray[np.float64] | None) -> tuple[Fact, ...]:
    """The threshold with its promise, and what it says of these scores."""
    threshold = calibration.threshold
    if threshold is None:
        return (Fact("Threshold", "none", "scores without a decision"),)
    if calibration.fpr is None:
        rate = calibration.false_alarm_rate
        note = "set by hand" + ("" if rate is None else f"; expect {percent(rate)} false alarms")
    else:
        images = counted(calibration.n, "calibration image")
        note = f"at most {percent(calibration.fpr)} false alarms on new normal images, promised from {images}"
    facts = [Fact("Threshold", number(threshold), note)]
    if scores is not None and len(scores):
        above = int((scores > threshold).sum())
        facts.insert(0, Fact("Above the threshold", f"{above:,}", f"{percent(above / len(scores))} of these images"))
    return tuple(facts)


def _measured(collector: Collector) -> tuple[Fact, ...]:
    images = Fact("Images", f"{len(collector.scores):,}", "scored")
    truths = collector.truths
    if NORMAL not in truths or ANOMALOUS not in truths:
        return (images,)
    normal, anomalous = truths[NORMAL], truths[ANOMALOUS]
    scores, labels = np.concatenate([normal, anomalous]), np.repeat([0, 1], [len(normal), len(anomalous)])
    return (
        Fact("Images", f"{len(scores):,}", f"{len(normal):,} normal, {len(anomalous):,} anomalous"),
        Fact("AUROC", f"{auroc(scores, labels):.3f}", "0.5 is chance, 1 is perfect"),
    )


def _labelled(normal: NDArray[np.float64], anomalous: NDArray[np.float64], calibration: Calibration) -> Section:
    scores, labels = np.concatenate([normal, anomalous]), np.repeat([0, 1], [len(normal), len(anomalous)])
    overlap, threshold = histogram_overlap(scores, labels), calibration.threshold
    groups = [Group("labelled normal", normal, "outline"), Group("labelled anomalous", anomalous, "filled")]
    return Section(
        "Against the labels",
        f"{overlap:.1f}\N{NO-BREAK SPACE}% of these images lie where the histograms of normal and anomalous scores "
        "overlap (100 bins, as in GradCon's Figure 5); 0\N{NO-BREAK SPACE}% is perfect.",
        (
            histogram(groups, threshold, title="Scores by label"),
            roc(normal, anomalous, auroc(scores, labels), threshold),
            precision_recall(normal, anomalous, aupr_out(scores, labels), threshold),
        ),
    )


def _lead(scores: NDArray[np.float64], calibration: Calibration) -> str:
    images = counted(len(scores), "image")
    if calibration.threshold is None:
        return f"{images}, the most anomalous first. The model makes no decision: it was fitted without a rate."
    above = int((scores > calibration.threshold).sum())
    return (
        f"{above:,} of {images} {'lies' if above == 1 else 'lie'} above the threshold. The most anomalous come first."
    )


def scores_intro(calibration: Calibration) -> str:
    """How to read the histogram."""
    if not calibration.n:
        return ""
    return (
        f"Outlined: the {counted(calibration.n, 'normal image')} that calibrate, which training did not see. "
        "Where the filled shape leaves the outline, images are not like them."
    )


def after(model: str) -> str:
    """The command that takes a review up."""
    if not model:
        return ""
    given = f"./{model}" if model.startswith("-") else model
    return shown(f"amiss refit {shlex.quote(given)} review.csv -o NEW.safetensors")


def advice(n: int, shown_cards: int) -> str:
    """Say that not all images are shown, where that is so."""
    if shown_cards >= n:
        return ""
    return f"Of {n:,} images, the {shown_cards:,} that score highest are shown; charts and counts are of all."


def made(detector: Detector, model: str) -> str:
    """With what a page was made, and when."""
    method, spec = catalog.name_of(detector.artifact.method), detector.layout.spec
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    tiles = "" if detector.tiling is None else "tiles of "
    images = f"{tiles}{spec.width} × {spec.height} {'grey' if spec.channels == 1 else 'colour'}"
    of = f"Model {shown(model)}: {method}" if model else method.capitalize()
    return f"{of}, {images}. Made {when} by amiss {__version__}."


def coarse(layout: Layout) -> bool:
    """Whether images are so small that their single pixels should be seen."""
    return layout.tiling is None and max(layout.spec.height, layout.spec.width) <= EXACT
