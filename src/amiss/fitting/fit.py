"""A fit on images that have been read: who trains and who calibrates, the training, and the model that comes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from amiss.artifact.file import Artifact
from amiss.calibration.conformal import Calibration, calibration_size
from amiss.contracts import InputError, Progress
from amiss.data.images import Images
from amiss.data.tiled import ImageSet
from amiss.engine.fitting import fit
from amiss.engine.progress import renamed, silent
from amiss.engine.runtime import derive, seeded
from amiss.engine.scoring import score_images
from amiss.explain.nearest import thumbnails
from amiss.fitting.record import facts
from amiss.fitting.settings import Settings
from amiss.protocols.split import Split, held_out_size, split


@dataclass(frozen=True, eq=False)
class Fit:
    """A model, the images that it was made of, and what was read and done, a line each."""

    artifact: Artifact
    images: ImageSet
    notes: list[str]


def divide(settings: Settings, images: ImageSet) -> Split:
    """Choose which normal images train, which select, and which calibrate.

    Raises InputError where they are too few for the false-alarm rate.
    """
    n_calibration = calibration_size(len(images), settings.fpr)
    with seeded(0):
        wants = settings.method.learner(images.spec).held_out
    n_held_out = held_out_size(len(images) - n_calibration) if wants else 0
    seed = derive(settings.runtime.seed, "split")
    return split(images, n_calibration=n_calibration, n_held_out=n_held_out, seed=seed)


def fit_split(
    settings: Settings,
    images: ImageSet,
    parts: Split,
    *,
    known: Images | None = None,
    workdir: Path | None = None,
    check: bool = True,
    progress: Progress = silent,
) -> Artifact:
    """Train and calibrate on images whose parts are known; raises WorkError if training breaks down.

    Raises InputError for images that are not cut into tiles as the settings say.
    """
    if images.layout.tiling != settings.tiling:
        raise InputError(f"{images!r} are given, cut as {images.layout.tiling}: accepted are {settings.tiling}")
    started = time.perf_counter()
    train, held_out, held_back = (images.subset(i) for i in (parts.train, parts.held_out, parts.calibration))
    fitted = fit(
        settings.method,
        images.spec,
        train.inputs,
        held_out.inputs if len(held_out) else None,
        runtime=settings.runtime,
        workdir=workdir,
        check=check,
        progress=progress,
        known=known,
    )
    scores = score_images(fitted.scorer, held_back, renamed(progress, "calibrating"))
    record = {
        **facts(images, parts, known, settings.runtime),
        "log": fitted.log,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    kept = thumbnails(train) if settings.keep_images else None
    return Artifact(
        settings.method,
        images.layout,
        fitted.scorer,
        Calibration(scores, settings.fpr).scores,
        settings.fpr,
        None,
        settings.runtime.seed,
        record if kept is None else {**record, "thumbnails": kept.names},
        None if kept is None else kept.pixels,
    )
