"""A fit anew on the training images as a person's review leaves them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from amiss.artifact.file import Artifact
from amiss.contracts import InputError, Progress
from amiss.data.listing import FileSource
from amiss.data.reading import Reading, read_known
from amiss.data.review import Review
from amiss.engine.progress import silent
from amiss.engine.workdir import Workdir
from amiss.fitting.fit import Fit, divide, fit_split
from amiss.fitting.record import given
from amiss.fitting.settings import Settings
from amiss.protocols.refitting import prepare
from amiss.sharing import group


def refit(
    before: Artifact,
    settings: Settings,
    review: str | Path | Review,
    folder: Path,
    *,
    normal: FileSource | None = None,
    reading: Reading | None = None,
    known: FileSource | None = None,
    resume: bool | None = None,
    check: bool = True,
    progress: Progress = silent,
) -> Fit:
    """Fit anew with the settings of the model before; the arguments are those of `Detector.refit`.

    folder: where images are decoded and, unless `resume` is None, from where an interrupted refit is resumed.
    Raises InputError for a review or images that cannot be used and WorkError if the work fails.
    """
    if group().count > 1:
        raise InputError("a refit works in one process: call it without torchrun")
    if before.threshold is not None:
        raise InputError(f"the model decides at {before.threshold:g}, set by hand for its own scores: set an fpr first")
    work = prepare(before.layout, before.record, review, normal, reading, known)
    settings.runtime.resolve()
    settings.require_known(given=work.known is not None)
    if resume is not None:
        plan = settings.plan(work.listing.fingerprint(), work.origin.reading) | work.plan()
        Workdir(folder).open(plan, resume=resume)
    images = work.read(folder / "store", progress)
    anomalies = None if work.known is None else read_known(work.known, images.layout, images)
    parts = work.divide(images, partial(divide, settings))
    notes = [*work.lines, *work.changed(images), *work.notes(parts)]
    made = fit_split(
        settings,
        parts.images,
        parts.split,
        known=anomalies,
        workdir=None if resume is None else folder,
        check=check,
        progress=progress,
    )
    remembered = {"given": given(work.origin, settings.runtime), **work.record(images, parts)}
    return Fit(replace(made, record={**made.record, **remembered}), parts.images, notes)
