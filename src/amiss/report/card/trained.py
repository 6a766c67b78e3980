"""How training went, and whether anything says that it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.artifact.file import Artifact
from amiss.detector import Detector
from amiss.engine.health import SAME, STILL
from amiss.report.card.content import Grid, Part
from amiss.report.card.records import number_in, object_in, rows_in, text_in
from amiss.report.explained import counterparts_alike
from amiss.report.training import training_section
from amiss.report.words import counted, number

LOOKED_AT = 64
"""So many images are looked at for counterparts that are all alike."""


@dataclass(frozen=True)
class Phase:
    """What the log tells of one phase, of the last start that training made."""

    name: str
    epochs: int
    kept: int | None
    """The epoch whose loss on held-out images was lowest; None where the last epoch was kept."""
    criterion: float
    still: bool
    """Whether no loss changed between the last two epochs."""


def phases(artifact: Artifact) -> list[Phase]:
    """The phases of training, in order; none for a method that does not train in epochs."""
    named: dict[str, list[Mapping[str, object]]] = {}
    for record in rows_in(artifact.record, "log"):
        if isinstance(record, Mapping) and record.get("event") == "restart":
            named.clear()
        elif isinstance(record, Mapping) and record.get("event") == "epoch":
            named.setdefault(text_in(record, "phase"), []).append(record)
    return [_phase(name, records) for name, records in named.items()]


def _phase(name: str, records: list[Mapping[str, object]]) -> Phase:
    chosen = [record for record in records if "criterion" in record]
    best = min(chosen, key=lambda record: number_in(record, "criterion")) if chosen else {}
    kept = int(number_in(best, "epoch")) if best else None
    ends = [object_in(record, "losses") for record in records[-2:]]
    still = (
        len(ends) == 2
        and bool(ends[1])
        and all(
            abs(number_in(ends[0], loss) - number_in(ends[1], loss)) <= STILL * abs(number_in(ends[1], loss))
            for loss in ends[1]
        )
    )
    return Phase(name, len(records), kept, number_in(best, "criterion"), still)


def restarts(artifact: Artifact) -> int:
    """How often training had a dead start and began anew."""
    log = rows_in(artifact.record, "log")
    return sum(isinstance(record, Mapping) and record.get("event") == "restart" for record in log)


def warnings(artifact: Artifact) -> list[str]:
    """What the training that was kept warned of."""
    log = [record for record in rows_in(artifact.record, "log") if isinstance(record, Mapping)]
    last = max((i for i, record in enumerate(log) if record.get("event") == "restart"), default=-1)
    return [text_in(record, "reason") for record in log[last + 1 :] if record.get("event") == "warning"]


def signs(detector: Detector, images: NDArray[np.generic] | None) -> tuple[str, ...]:
    """Signs that training is broken, a sentence each.

    images: some images (N, C, H, W) in the model's layout, if there are any.
    """
    scores = detector.calibration.scores
    found = []
    if len(scores) > 1 and float(np.ptp(scores)) <= SAME * float(np.abs(scores).max()):
        found.append(
            f"All {len(scores):,} calibration images have the same score: the model does not tell images apart."
        )
    found += [
        f"The losses of the phase '{phase.name}' did not change any more between its last two epochs: its gradients "
        "may have vanished."
        for phase in phases(detector.artifact)
        if phase.still
    ]
    warned = warnings(detector.artifact)
    found += [f"Training warned: {reason}." for reason in warned]
    if images is not None and not warned and counterparts_alike(detector, images[:LOOKED_AT]):
        found.append(
            "The normal counterparts of different images are all but one picture: the score tells little more than how "
            "bright an image is."
        )
    return tuple(found)


def training(detector: Detector, found: tuple[str, ...]) -> Part:
    """Epochs, kept epochs, restarts and losses; found: signs of broken training."""
    section = training_section(detector.artifact)
    told = phases(detector.artifact)
    if section is None or not told:
        return Part("Training", left_out="The method does not train in epochs.")
    rows = tuple(
        (
            phase.name,
            f"{phase.epochs:,}",
            "the last" if phase.kept is None else f"{phase.kept:,}",
            "–" if phase.kept is None else number(phase.criterion),
        )
        for phase in told
    )
    grid = Grid(("phase", "epochs", "kept epoch", "its loss on held-out images"), rows)
    lines = found or section.lines
    again = restarts(detector.artifact)
    if found and again:
        lines = (*found, f"Training began anew from other initial weights {counted(again, 'time')}.")
    return Part("Training", (section.intro,) if section.intro else (), (grid,), section.charts, lines)
