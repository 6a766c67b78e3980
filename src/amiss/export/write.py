"""Writes a fitted detector as one ONNX file, once ONNX Runtime has been seen to decide with it as torch does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from amiss import catalog
from amiss.artifact.file import to_bytes, versions
from amiss.contracts import Progress
from amiss.data.atomic import write_atomic
from amiss.data.images import Images
from amiss.data.listing import FileSource
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.engine.runtime import place
from amiss.engine.scoring import score_images
from amiss.export.compared import find
from amiss.export.convert import require_exportable, to_onnx, with_properties
from amiss.export.drawn import draw
from amiss.export.facts import Facts
from amiss.export.graph import Decision
from amiss.export.parity import Parity, Sample, compare
from amiss.export.rounding import own_rounding
from amiss.export.runtime import Session
from amiss.export.tolerance import TABLE, Scale

STEPS = ("reading", "converting", "comparing", "writing")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    parity: Parity
    facts: Facts
    outputs: tuple[str, ...]
    size: int
    """Bytes of the file."""


def export_onnx(
    detector: Detector, path: str | Path, *, images: FileSource | None = None, progress: Progress = silent
) -> Exported:
    """Write `path`, whole or not at all; an existing file is replaced.

    images: what to compare on; if not given, the images that calibrated, or thumbnails in the model file.
    Raises InputError for a detector that is not fitted or cannot be exported, and for images that cannot be read;
    WorkError where the file would not decide as the model does, or cannot be written.
    """
    path, artifact = Path(path), detector.artifact
    require_exportable(artifact.scorer, artifact.layout)
    place(artifact.scorer, torch.device("cpu"))
    progress("exporting", 0, len(STEPS), STEPS[0])
    compared = find(detector, images, progress)
    progress("exporting", 1, len(STEPS), STEPS[1])
    calibration = detector.calibration
    content = to_onnx(Decision(artifact.scorer, calibration, maps=True), artifact.layout)
    progress("exporting", 2, len(STEPS), STEPS[2])
    session = Session(content, str(path))
    scale = Scale.of(calibration.scores if calibration.n else compared.scores)
    table = TABLE.loosened(own_rounding(artifact.scorer, compared, scale))
    parity = compare(session, compared, calibration, scale, table, progress)
    drawn = _drawn(detector)
    compare(session, drawn, calibration, scale, table)
    facts = _facts(detector, scale, drawn, parity)
    content = with_properties(content, facts.to_properties())
    progress("exporting", 3, len(STEPS), STEPS[3])
    write_atomic(path, lambda file: file.write(content))
    return Exported(parity, facts, session.outputs, len(content))


def _drawn(detector: Detector) -> Sample:
    pixels = draw(detector.layout.spec, detector.layout.depth)
    names = [f"drawn image {i}" for i in range(len(pixels))]
    return Sample(pixels, score_images(detector.artifact.scorer, Images(pixels)), names, "drawn images")


def _facts(detector: Detector, scale: Scale, drawn: Sample, parity: Parity) -> Facts:
    artifact = detector.artifact
    record = artifact.record
    data, fitted_with = record.get("data"), record.get("versions")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Facts(
        method=catalog.to_settings(artifact.method),
        name=catalog.name_of(artifact.method),
        spec=artifact.layout.spec,
        depth=artifact.layout.depth,
        calibration={"images": detector.calibration.n, "median": scale.centre, "spread": scale.spread},
        fpr=artifact.fpr,
        threshold=detector.threshold_,
        seed=artifact.seed,
        fingerprint=str(data["fingerprint"]) if isinstance(data, Mapping) and "fingerprint" in data else None,
        source=hashlib.sha256(to_bytes(artifact)).hexdigest(),
        versions={"fit": fitted_with if isinstance(fitted_with, Mapping) else {}, "export": _versions()},
        created={"fit": str(record.get("created", "")), "export": now},
        drawn=tuple(map(float, drawn.scores)),
        parity=parity.to_json(),
    )


def _versions() -> dict[str, str]:
    return {**versions(), **{name: version(name) for name in ("onnx", "onnxscript", "onnxruntime")}}
