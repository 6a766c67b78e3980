"""Makes a model card: measures what is asked for, and puts it into words."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss import __version__, catalog
from amiss.contracts import InputError, Progress
from amiss.data.images import Images
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.evaluation.robustness import Attacked
from amiss.protocols.split import Split
from amiss.report.assemble import decision_facts
from amiss.report.card import decided, found, told, trained
from amiss.report.card.asked import Asked
from amiss.report.card.content import LeftOut, ModelCard
from amiss.report.card.inputs import Scored, scored, training_images
from amiss.report.card.labelled import Rival, measure_labelled, measure_rivals
from amiss.report.card.limits import DRIFTING, Measured, limits
from amiss.report.card.records import text_in
from amiss.report.card.stressed import Corrupted, measure_attack, measure_corruptions, measure_drift
from amiss.report.page import Fact
from amiss.report.words import shown

NO_LABELS = "No labelled images were given. --normal DIR and --anomalous DIR measure on them."
NOT_COMPARED = "Not asked for. --compare, with --normal and --anomalous, fits kNN and PCA on the same training images."
NOT_ATTACKED = "Not asked for. --attack 0.01,0.05, with --normal and --anomalous, measures it."
NOT_CORRUPTED = "Not asked for. --corruptions scores normal images under eight conditions at five levels."
NO_DRIFT = "No recent images were given. --drift DIR compares images that should be normal with the calibration images."


def model_card(detector: Detector, name: str, asked: Asked, *, progress: Progress = silent) -> ModelCard:
    """The card of a fitted detector; name: what it is called, such as its file's name.

    Raises InputError before a fit, for a model of tiles, for images that cannot be used, for training images that are
    not those of the fit any more, and for what the model lacks the calibration images for.
    """
    asked.check(detector.calibration)
    if getattr(detector.layout, "tiling", None) is not None:
        raise InputError(f"{name} cuts images into tiles: cards are made of models that see whole images")
    with tempfile.TemporaryDirectory(prefix="amiss-") as folder:
        work = _Work(detector, asked, Path(folder), progress)
        measured, seen = work.measure()
    signs = trained.signs(detector, seen)
    kind, calibration = catalog.name_of(detector.artifact.method), detector.calibration
    parts = (
        told.purpose(detector),
        limits(detector, measured, signs),
        told.data(detector.artifact),
        told.method(detector.artifact),
        trained.training(detector, signs),
        decided.decision(detector),
        found.labelled_part(measured.labelled, calibration),
        found.compared_part(measured.rivals, measured.labelled, kind),
        found.attack_part(measured.attack),
        found.corruption_part(measured.corruptions, calibration),
        found.drift_part(measured.drift, calibration, DRIFTING),
    )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return ModelCard(
        title=f"Model card of {shown(name)}",
        lead=_lead(detector, kind),
        facts=(*_separation(measured), *decision_facts(calibration, None)),
        parts=parts,
        made=f"Made {when} by amiss {__version__}.",
    )


def _lead(detector: Detector, kind: str) -> str:
    created = text_in(detector.artifact.record, "created")[:10]
    spec = detector.layout.spec
    colour = "grey" if spec.channels == 1 else "colour"
    return (
        f"A detector of anomalous images by {kind}, fitted{f' on {created}' if created else ''} on normal images "
        f"alone, which it sees as {spec.width} × {spec.height} pixels in {colour}."
    )


def _separation(measured: Measured) -> tuple[Fact, ...]:
    if isinstance(measured.labelled, LeftOut) or measured.labelled.separation is None:
        return ()
    result = measured.labelled.separation.result
    ends = f"95\N{NO-BREAK SPACE}% interval {found.between(result.auroc_interval)}"
    return (Fact("AUROC", f"{result.auroc:.3f}", f"{ends}; 0.5 is chance, 1 is perfect"),)


@dataclass(eq=False)
class _Work:
    """The measurements of one card, each after the images that it needs."""

    detector: Detector
    asked: Asked
    folder: Path
    progress: Progress

    def measure(self) -> tuple[Measured, NDArray[np.generic] | None]:
        """Everything that is asked for, and some normal images in the model's layout if any were read."""
        asked, detector, progress = self.asked, self.detector, self.progress
        training = None
        if asked.needs_training_images:
            training = training_images(detector, asked.train, self.folder / "store", progress)
        normal, anomalous, recent = (
            None if source is None else scored(detector, source, f"{what} images", asked.on_bad, progress)
            for source, what in ((asked.normal, "normal"), (asked.anomalous, "anomalous"), (asked.drift, "recent"))
        )
        labelled = LeftOut(NO_LABELS) if normal is None else measure_labelled(detector, normal, anomalous, progress)
        measured = Measured(
            labelled,
            self._rivals(normal, anomalous, training),
            self._attack(normal, anomalous),
            self._corruptions(normal, training),
            LeftOut(NO_DRIFT) if recent is None else measure_drift(detector, recent),
            _leaked(normal, training),
        )
        images = normal or recent
        return measured, None if images is None else _some(images.images)

    def _rivals(
        self, normal: Scored | None, anomalous: Scored | None, training: tuple[Images, Split] | None
    ) -> Sequence[Rival] | LeftOut:
        if not self.asked.compare or normal is None or anomalous is None or training is None:
            return LeftOut(NOT_COMPARED)
        return measure_rivals(self.detector, normal, anomalous, training, self.progress)

    def _attack(self, normal: Scored | None, anomalous: Scored | None) -> Sequence[Attacked] | LeftOut:
        if not self.asked.attack or normal is None or anomalous is None:
            return LeftOut(NOT_ATTACKED)
        return measure_attack(self.detector, normal, anomalous, self.asked.attack, self.progress)

    def _corruptions(self, normal: Scored | None, training: tuple[Images, Split] | None) -> Corrupted | LeftOut:
        if not self.asked.corruptions:
            return LeftOut(NOT_CORRUPTED)
        if normal is not None:
            return measure_corruptions(self.detector, normal.images, "those of --normal", self.progress)
        assert training is not None  # they were needed, then
        images, parts = training
        of = "set aside for calibration by the fit"
        return measure_corruptions(self.detector, images.subset(parts.calibration), of, self.progress)


def _leaked(normal: Scored | None, training: tuple[Images, Split] | None) -> int:
    """Labelled normal images with the pixels of an image of the fit."""
    if normal is None or training is None:
        return 0
    return int(np.isin(normal.images.digests(), training[0].digests()).sum())


def _some(images: Images) -> NDArray[np.generic]:
    return images.take(np.arange(min(len(images), trained.LOOKED_AT))).numpy()
