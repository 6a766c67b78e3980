"""The parts of a card that the model file alone tells: purpose, data, method, training and decision."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping

from amiss import catalog
from amiss.artifact.file import Artifact
from amiss.contracts import Method
from amiss.data.origin import Origin
from amiss.detector import Detector
from amiss.report.card.content import Grid, Part
from amiss.report.card.records import number_in, object_in, rows_in, text_in
from amiss.report.words import counted

DEPTHS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "real numbers from 0 to 1"}
SKIPPED = 20
"""So many skipped files are named."""


def purpose(detector: Detector) -> Part:
    """What the model is for, and how to read what it gives."""
    n = detector.calibration.n
    rows = [
        (
            "pred_score",
            "higher = more anomalous; the scale is the method's own, so scores of two models do not compare",
        ),
        (
            "p_value",
            f"share of {n + 1:,} normal images that would score at least as high, in (0, 1]; small = anomalous",
        ),
        ("normal_percentile", f"percentage of the {n:,} calibration images that score lower, from 0 to 100"),
        ("pred_label", "1 anomalous (score above the threshold), 0 normal"),
    ]
    if not n:
        rows = rows[:1]
    elif detector.threshold_ is None:
        rows = rows[:-1]
    return Part(
        "What it is for, and how to read a score",
        (
            "The model was shown normal images alone. Of a new image it says how unlike them it is. It is meant for "
            "images of the same kind, taken in the same way; what is unusual need not be a defect.",
        ),
        (Grid(("column", "meaning"), tuple(rows), words=True),),
    )


def data(artifact: Artifact) -> Part:
    """Which images the model was made of."""
    facts, origin = object_in(artifact.record, "data"), Origin.of_record(artifact.record)
    if not facts:
        return Part("Data", left_out="The model does not remember the images that it was fitted on.")
    names = {
        "images": "images in all",
        "distinct": "of them with different pixels",
        "train": "trained on",
        "held_out": "held out, to choose the epoch",
        "calibration": "set aside for calibration",
        "known_anomalies": "known anomalies, to learn from besides",
    }
    rows = [(name, f"{number_in(facts, key):,.0f}") for key, name in names.items() if key in facts]
    skipped = rows_in(facts, "skipped")
    spec = artifact.layout.spec
    colour = "grey" if spec.channels == 1 else "colour"
    text = [
        f"The model sees {spec.width} × {spec.height} pixels, {colour}, {DEPTHS[artifact.layout.depth]}; other images "
        "are brought to that.",
        *([f"The images came from '{origin.normal}'."] if origin.normal else []),
        *(["Subfolders were read too."] if origin.reading.recursive else []),
        *(
            [f"Images of one group, by {origin.reading.group_by}, stand on one side."]
            if origin.reading.group_by
            else []
        ),
        f"Fingerprint of the images' pixels (SHA-256): {facts.get('fingerprint', 'not kept')}.",
    ]
    lines = [str(row[-1]) for row in skipped[:SKIPPED] if isinstance(row, list) and row]
    if len(skipped) > SKIPPED:
        lines.append(f"and {len(skipped) - SKIPPED:,} more")
    grid = Grid(("images", "number"), (*rows, ("skipped, because they could not be read", f"{len(skipped):,}")))
    return Part("Data", tuple(text), (grid,), lines=tuple(lines))


def method(artifact: Artifact) -> Part:
    """How the model learns, with every setting."""
    record, hp = artifact.record, artifact.method
    name, family = catalog.name_of(hp), catalog.family(hp)
    versions, machine = object_in(record, "versions"), object_in(record, "machine")
    called = name if name == family else f"{name}, which is {family} with other settings"
    told = (inspect.getdoc(sys.modules[type(hp).__module__]) or "").split("\n\n")
    made = [
        ("random seed", str(artifact.seed)),
        ("precision of training", text_in(object_in(record, "given"), "precision") or "not kept"),
        ("device", text_in(machine, "device") or "not kept"),
        ("system", text_in(machine, "system") or "not kept"),
        ("threads", text_in(machine, "threads") or "not kept"),
        ("made", text_in(record, "created") or "not kept"),
        ("seconds of fitting", text_in(record, "seconds") or "not kept"),
        *((f"version of {what}", str(version)) for what, version in versions.items()),
    ]
    return Part(
        "Method",
        (f"The method is {called}.", *(" ".join(paragraph.split()) for paragraph in told[:2])),
        (
            Grid(("setting", "value", "meaning"), tuple(settings(hp)), "Settings", words=True),
            Grid(("fit", "value"), tuple(made), "How it was made", words=True),
        ),
    )


def settings(part: object, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of every hyperparameter, those of nested parts after a dot."""
    docs = catalog.field_docs(type(part)) if dataclasses.is_dataclass(part) else {}
    for field in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
        value, name = getattr(part, field.name), f"{prefix}{field.name}"
        inner = list(value) if isinstance(value, tuple) else [value]
        nested = [one for one in inner if dataclasses.is_dataclass(one) and not isinstance(one, type)]
        shown = ", ".join(_called(one) for one in inner) if nested else str(value)
        yield name, shown, docs.get(field.name, "")
        for i, one in enumerate(nested):
            yield from settings(one, f"{name}.{i}." if isinstance(value, tuple) else f"{name}.")


def _called(part: object) -> str:
    return catalog.name_of(part) if isinstance(part, Method) else type(part).__name__


def history(record: Mapping[str, object]) -> tuple[str, ...]:
    """What was done to the model after its fit, or to its images before it."""
    lines = []
    reviewed, recalibrated = object_in(record, "reviewed"), object_in(record, "recalibrated")
    if reviewed:
        left, unsure, joined = (int(number_in(reviewed, name)) for name in ("anomalous", "unsure", "joined"))
        lines.append(
            f"{text_in(reviewed, 'when')}: fitted anew after a review of its images: {counted(left, 'image')} marked "
            f"anomaly left, {unsure:,} marked unsure did not train, {joined:,} marked normal joined training."
        )
    if recalibrated:
        now, given, before = (int(number_in(recalibrated, name)) for name in ("images", "given", "before"))
        lines.append(
            f"{text_in(recalibrated, 'when')}: calibrated anew on {counted(now, 'distinct image')} of {given:,} given, "
            f"in place of {before:,}; fingerprint {text_in(recalibrated, 'fingerprint')}."
        )
    return tuple(lines)
