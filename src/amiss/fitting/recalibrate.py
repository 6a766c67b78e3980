"""A calibration anew, on other normal images than those that the fit set aside; nothing is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from amiss.artifact.file import Artifact
from amiss.calibration.conformal import Calibration
from amiss.calibration.renewed import collect
from amiss.calibration.table import ScoreTable
from amiss.contracts import InputError
from amiss.data.images import Images, digest
from amiss.data.stream import Chunk
from amiss.explain.nearest import quantised, shrink
from amiss.transforms.unit import to_unit


def recalibrate(
    artifact: Artifact, scored: Iterable[tuple[ScoreTable, Chunk]], *, fpr: float | None, threshold: float | None
) -> Artifact:
    """The model with the scores of other images, deciding at a rate or at a threshold set by hand.

    Raises InputError for images that training is known to have seen, and for too few.
    """
    fresh = collect(scored, lambda chunk: _refuse_seen(chunk, artifact))
    data = artifact.record.get("data")
    if isinstance(data, Mapping) and data.get("fingerprint") == fresh.fingerprint:
        raise InputError("these are the images that the model was fitted on: calibrate on others")
    after = Calibration(fresh.scores, fpr, threshold)
    record = {**artifact.record, "recalibrated": fresh.record(len(artifact.calibration_scores))}
    return replace(artifact, calibration_scores=after.scores, fpr=after.fpr, threshold=threshold, record=record)


def _refuse_seen(chunk: Chunk, artifact: Artifact) -> None:
    """Raise InputError for an image that looks as one that trained, as far as the model keeps thumbnails."""
    if artifact.thumbnails is None or not len(chunk.pixels):
        return
    seen = {digest(image) for image in artifact.thumbnails}
    spec = Images(artifact.thumbnails).spec
    small = [quantised(shrink(to_unit(x[None]), spec))[0] for x in chunk.pixels]
    for name, image in zip(chunk.names, small, strict=True):
        if digest(image) in seen:
            raise InputError(f"{name} equals an image that the model was trained on: calibrate on others")
