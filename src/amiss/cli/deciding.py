"""The decision of a model: changed for one run, and put into words."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from amiss import catalog
from amiss.calibration.conformal import Calibration
from amiss.cli.console import counted, percent
from amiss.contracts import InputError
from amiss.detector import Detector


def load_deciding(model: Path, *, fpr: float | None, threshold: float | None, device: str) -> Detector:
    """Load a model, and decide at another rate or threshold if one is given.

    Raises InputError for both, for a rate that the model's calibration does not support, or for what is not a model.
    """
    require_one_decision(fpr, threshold)
    detector = Detector.load(model, device=device)
    detector.runtime.resolve()  # names a device that is not there before any image is read
    if fpr is not None:
        return detector.set_fpr(fpr)
    return detector if threshold is None else detector.set_threshold(threshold)


def require_one_decision(fpr: float | None, threshold: float | None) -> None:
    """Raise InputError where both are given."""
    if fpr is not None and threshold is not None:
        raise InputError(f"--fpr {fpr:g} and --threshold {threshold:g} were both given: give one of them")


def decision_lines(calibration: Calibration) -> list[str]:
    """Say what is labelled anomalous, and how often a normal image will be."""
    threshold, rate, n = calibration.threshold, calibration.false_alarm_rate, calibration.n
    if threshold is None:
        return ["no threshold (fpr none): scores without a decision"]
    known = f"{counted(n, 'calibration image')}"
    if calibration.fpr is None:
        expected = "" if rate is None else f": expect {percent(rate)} false alarms, by {known}"
        return [f"threshold {threshold:.6g}, set by hand{expected}"]
    promised = f"at most {percent(calibration.fpr)} false alarms on new normal images"
    return [f"threshold {threshold:.6g}: {promised} (promised from {known})"]


def settings_lines(detector: Detector) -> list[str]:
    """Say with which settings a detector works, for those who want to know all."""
    settings = catalog.to_settings(detector.method)
    name = settings.pop("method")
    values = [f"  {key}: {json.dumps(value)}" for key, value in settings.items()]
    where, threads = detector.runtime.resolve(), counted(torch.get_num_threads(), "thread")
    return [
        f"method {name}" + (":" if values else ", which has no settings"),
        *values,
        f"device {where}, {threads} in torch; precision {detector.runtime.precision}; random state "
        f"{detector.random_state}",
    ]
