"""How training went, from the log in the model: its losses by epoch, and whether anything was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from amiss.artifact.file import Artifact
from amiss.report.charts import losses
from amiss.report.page import Chart, Section
from amiss.report.words import counted, number

MOST = 12
"""Most charts of losses; what is beyond them is named."""

Series = dict[str, tuple[list[float], list[float]]]


def training_section(artifact: Artifact, extra: Sequence[str] = (), *, folded: bool = False) -> Section | None:
    """Losses and health of a model's training; None for a method that does not train in epochs."""
    log = _records(artifact.record.get("log"))
    epochs = [record for record in log if record.get("event") == "epoch"]
    restarts = [str(record.get("reason", "")) for record in log if record.get("event") == "restart"]
    if not epochs and not extra:
        return None
    last = max((i for i, record in enumerate(log) if record.get("event") == "restart"), default=-1)
    phases: dict[str, list[Mapping[str, object]]] = {}
    for record in log[last + 1 :]:
        if record.get("event") == "epoch":
            phases.setdefault(str(record.get("phase")), []).append(record)
    charts = [chart for phase, records in phases.items() for chart in _charts(phase, records, several=len(phases) > 1)]
    warned = [str(record.get("reason", "")) for record in log[last + 1 :] if record.get("event") == "warning"]
    lines = [*_lines(artifact, phases, restarts, warned, watched=bool(charts)), *extra]
    if len(charts) > MOST:
        lines.append(f"{len(charts) - MOST} more losses are in the model's log.")
    intro = "Losses are means over the training images of an epoch." if charts else ""
    return Section("Training", intro, tuple(charts[:MOST]), tuple(lines), folded)


def _records(log: object) -> list[Mapping[str, object]]:
    return [record for record in log if isinstance(record, Mapping)] if isinstance(log, list) else []


def _charts(phase: str, records: Sequence[Mapping[str, object]], *, several: bool) -> list[Chart]:
    prefix = f"{phase}: " if several else ""
    chosen = _best(records)
    return [
        losses(prefix + name, epochs, values, chosen if name == "held-out criterion" else None)
        for name, (epochs, values) in _series(records).items()
        if len(epochs) > 1 and any(values)  # a part that the method leaves out is always 0
    ]


def _series(records: Sequence[Mapping[str, object]]) -> Series:
    found: Series = {}
    for record in records:
        named = record.get("losses")
        values = dict(named) if isinstance(named, Mapping) else {}
        if "criterion" in record:
            values["held-out criterion"] = record["criterion"]
        for name, value in values.items():
            epoch = record.get("epoch")
            if isinstance(value, int | float) and isinstance(epoch, int | float) and np.isfinite(value):
                xs, ys = found.setdefault(str(name), ([], []))
                xs.append(float(epoch))
                ys.append(float(value))
    return found


def _best(records: Sequence[Mapping[str, object]]) -> float | None:
    """The epoch that was kept: the first with the lowest criterion."""
    criteria = _series([{**record, "losses": None} for record in records]).get("held-out criterion")
    return None if criteria is None else criteria[0][int(np.argmin(criteria[1]))]


def _lines(
    artifact: Artifact,
    phases: Mapping[str, Sequence[Mapping[str, object]]],
    restarts: Sequence[str],
    warned: Sequence[str],
    *,
    watched: bool,
) -> list[str]:
    seconds = artifact.record.get("seconds")
    took = f", {seconds:,.0f} s in all" if isinstance(seconds, int | float) else ""
    done = [f"{counted(len(records), 'epoch')} of the phase '{phase}'" for phase, records in phases.items()]
    lines = [f"Trained for {', then '.join(done)}{took}."] if done else []
    if restarts:
        times = counted(len(restarts), "time")
        lines.append(f"Training had a dead start and began anew from other initial weights {times}: {restarts[-1]}.")
    lines += [f"Warning: {reason}." for reason in warned]
    if watched and not restarts and not warned:
        lines.append(
            "No sign of broken training: losses stayed finite and kept moving, and scores differ between images."
        )
    return lines


def gap_line(trained: NDArray[np.float64], calibration: NDArray[np.float64]) -> str:
    """Compare scores of images that trained with those of images that did not."""
    if not len(trained) or not len(calibration):
        return ""
    seen, unseen = float(np.median(trained)), float(np.median(calibration))
    return (
        f"Median score of training images {number(seen)}, of calibration images {number(unseen)}: the further apart, "
        "the more the model has learnt its training images by heart."
    )
