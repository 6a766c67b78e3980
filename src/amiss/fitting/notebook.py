"""What a notebook shows of a detector: plain HTML, everything escaped."""

from __future__ import annotations

from collections.abc import Mapping

from amiss import catalog
from amiss.artifact.file import Artifact
from amiss.calibration.conformal import Calibration
from amiss.calibration.notebook import cell, table_html, text
from amiss.contracts import Method


def detector_html(method: Method, artifact: Artifact | None) -> str:
    """A table of what the detector is, what it was made of, and how it decides."""
    rows = [("method", catalog.name_of(method)), ("state", "not fitted" if artifact is None else "fitted")]
    if artifact is not None:
        manual = artifact.threshold
        calibration = Calibration(artifact.calibration_scores, artifact.fpr if manual is None else None, manual)
        spec, data = artifact.layout.spec, artifact.record.get("data")
        counts = data if isinstance(data, Mapping) else {}
        named = {"train": "trained on", "held_out": "held out", "calibration": "set aside for calibration"}
        rows += [
            ("sees", f"{spec.height} x {spec.width} pixels, {'grey' if spec.channels == 1 else 'colour'}"),
            *((name, f"{counts[key]} images") for key, name in named.items() if counts.get(key)),
            ("calibrates by", f"{calibration.n} images"),
            ("threshold", "none" if calibration.threshold is None else cell(calibration.threshold)),
            ("false alarms", _promise(calibration)),
            ("seed", str(artifact.seed)),
        ]
    return f"<p><b>Detector</b>: {text(catalog.summary(method))}</p>{table_html(('what', 'value'), rows)}"


def _promise(calibration: Calibration) -> str:
    if calibration.threshold is None:
        return "no decision is made"
    if calibration.fpr is None:
        return "nothing is promised: the threshold was set by hand"
    return f"at most {100 * calibration.fpr:g} % of normal images"
