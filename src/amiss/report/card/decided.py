"""The decision on a card: the threshold, and exactly what is guaranteed for it."""

from __future__ import annotations

from amiss.calibration.conformal import Calibration, allowed, smallest_rate
from amiss.calibration.realised import realised_interval
from amiss.data.origin import Origin
from amiss.detector import Detector
from amiss.report.card.content import Grid, Part
from amiss.report.card.told import history
from amiss.report.words import counted, number, percent


def decision(detector: Detector) -> Part:
    """How the model decides, what that promises, and how it came to be."""
    calibration, record = detector.calibration, detector.artifact.record
    rows = [("calibration images", f"{calibration.n:,}")]
    if calibration.n:
        rows.append(("smallest possible false-alarm rate", percent(float(smallest_rate(calibration.n)))))
        middle = float(calibration.scores[calibration.n // 2])
        rows.append(("median of the calibration scores", number(middle)))
    if calibration.threshold is not None:
        rows.insert(0, ("threshold", number(calibration.threshold)))
    text = (guarantee(calibration), *spread(calibration), *grouped(detector))
    return Part("Decision and guarantee", text, (Grid(("decision", "value"), tuple(rows)),), lines=history(record))


def guarantee(calibration: Calibration) -> str:
    """What is promised, in one sentence."""
    threshold, rate, n = calibration.threshold, calibration.false_alarm_rate, calibration.n
    if threshold is None:
        return "The model makes no decision: it was fitted without a false-alarm rate, and gives scores alone."
    if calibration.fpr is None:
        expected = "" if rate is None else f"; of new normal images about {percent(rate)} are to be expected above it"
        return f"The threshold was set by hand, so nothing is guaranteed{expected}."
    m = allowed(calibration.fpr, n)
    return (
        f"If the {counted(n, 'calibration image')} and one new normal image are exchangeable, the new image is "
        f"labelled anomalous with a probability of at most {m:,}/{n + 1:,} = {percent(m / (n + 1))}, which is within "
        f"the {percent(calibration.fpr)} asked for."
    )


def spread(calibration: Calibration) -> tuple[str, ...]:
    """How far the rate of one calibration set lies from the mean that is promised."""
    if calibration.fpr is None:
        return ()
    low, high = realised_interval(calibration.fpr, calibration.n)
    return (
        "That probability is the mean over calibration sets, and this model has one of them: for scores without ties, "
        f"{percent(0.9)} of sets of this size have a rate between {percent(low)} and {percent(high)}. It is a promise "
        "about normal images, and says nothing of how many anomalies are found.",
    )


def grouped(detector: Detector) -> tuple[str, ...]:
    """What becomes of the promise where images come in groups."""
    if detector.calibration.fpr is None or not Origin.of_record(detector.artifact.record).reading.group_by:
        return ()
    return (
        "The images were fitted in groups, so it is groups that must be exchangeable: with groups of g images the "
        "bound is (m + g − 1)/(n + g) in place of m/(n + 1).",
    )
