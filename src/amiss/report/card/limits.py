"""What a model cannot do, in plain sentences that follow from what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amiss.calibration.conformal import Calibration
from amiss.calibration.realised import realised_interval
from amiss.detector import Detector
from amiss.evaluation.robustness import Attacked
from amiss.report.card.content import LeftOut, Part
from amiss.report.card.found import alarming, standing
from amiss.report.card.labelled import Labelled, Rival, Separation
from amiss.report.card.records import number_in, object_in, rows_in
from amiss.report.card.stressed import Corrupted, Drifted
from amiss.report.card.trained import restarts
from amiss.report.words import counted, listed, percent

FEW = 100
"""Calibration images below which the promise is loose and p-values are coarse."""
FEW_LABELLED = 30
"""Labelled images of a kind below which intervals are too wide to decide much."""
DRIFTING = 0.01
"""P-value below which recent images are said to differ."""
COLLAPSED = 0.5
"""Share of what the clean AUROC is above chance that an attack may take before the score is said to collapse."""
HIDDEN = -10.0
"""Median fall of the percentile, in points, from which images are said to look more normal."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that was measured for a card, or why it was not."""

    labelled: Labelled | LeftOut
    rivals: Sequence[Rival] | LeftOut
    attack: Sequence[Attacked] | LeftOut
    corruptions: Corrupted | LeftOut
    drift: Drifted | LeftOut
    leaked: int = 0
    """Labelled normal images that equal images of the fit, as far as that is known."""


def limits(detector: Detector, measured: Measured, signs: tuple[str, ...]) -> Part:
    """The part of a card that says what the model cannot do; the gravest first."""
    lines = [
        *signs,
        *_separation(measured),
        *_baselines(measured.rivals),
        *_drifted(measured.drift),
        *_calibrated(detector.calibration),
        *_attacked(measured.attack),
        *_conditions(measured.corruptions, detector.calibration),
        *_fitted(detector),
        *_always(detector),
    ]
    return Part("Limits", lines=tuple(lines))


def _separation(measured: Measured) -> Iterator[str]:
    found = measured.labelled
    if isinstance(found, LeftOut) or found.separation is None:
        yield (
            "No labelled anomalies were given: whether the model finds any is not known. The guarantee is about false "
            "alarms alone."
        )
    else:
        yield from _auroc(found.separation)
    if isinstance(found, LeftOut):
        return
    if measured.leaked:
        yield (
            f"{counted(measured.leaked, 'labelled normal image')} of {len(found.normal):,} equal images that the model "
            "was fitted on: the figures flatter it."
        )
    few = [
        f"{len(part)} {name}"
        for part, name in ((found.normal, "normal"), (found.anomalous, "anomalous"))
        if 0 < len(part) < FEW_LABELLED
    ]
    if few:
        yield f"Only {listed(few)} images were labelled: read the intervals, not the figures."


def _auroc(separation: Separation) -> Iterator[str]:
    interval = separation.result.auroc_interval
    if interval.high < 0.5:
        yield "It ranks these anomalies below normal images: the score is of no use for them."
    elif interval.low <= 0.5:
        yield "On the labelled images it cannot be told from chance (the interval of the AUROC holds 0.5)."
    if separation.detected is not None and separation.detected.rate < 0.5:
        missed = 1 - separation.detected.rate
        yield f"At its threshold it misses {percent(missed)} of the labelled anomalies."


def _baselines(found: Sequence[Rival] | LeftOut) -> Iterator[str]:
    if isinstance(found, LeftOut):
        return
    for rival in found:
        where = standing(rival)
        if where.startswith("behind"):
            yield (
                f"It is {where} by {-rival.ahead:.3f} AUROC on the labelled images: the baseline is simpler, faster, "
                "and better here."
            )
        elif where.startswith("not"):
            yield f"On the labelled images it is {where}, which is simpler and faster."


def _drifted(found: Drifted | LeftOut) -> Iterator[str]:
    if not isinstance(found, LeftOut) and found.test.p_value < DRIFTING:
        yield (
            "The recent images differ from those that calibrate: the guarantee does not hold for them. Look at what "
            "changed, then calibrate anew (amiss calibrate) or fit again."
        )


def _calibrated(calibration: Calibration) -> Iterator[str]:
    n = calibration.n
    if calibration.threshold is None:
        yield "It makes no decision: where to draw the line is left to whoever reads the scores."
    elif calibration.fpr is None:
        yield "Its threshold was set by hand: nothing is guaranteed."
    if not n:
        yield "No images were kept for calibration: there are no p-values."
    elif n < FEW:
        wide = ""
        if calibration.fpr is not None:
            low, high = realised_interval(calibration.fpr, n)
            wide = f", and the false-alarm rate of a set of this size may well be {percent(low)} or {percent(high)}"
        yield f"Only {counted(n, 'image')} calibrate: no p-value is below {percent(1 / (n + 1))}{wide}."


def _attacked(found: Sequence[Attacked] | LeftOut) -> Iterator[str]:
    if isinstance(found, LeftOut):
        return
    clean = found[0].auroc
    for row in found[1:]:
        if row.auroc - 0.5 < (1 - COLLAPSED) * (clean - 0.5):
            yield (
                f"Changes of at most {row.eps:g} in every pixel, which may be hard to see, bring its AUROC from "
                f"{clean:.3f} to {row.auroc:.3f}: the score depends on fine detail, and whoever can change images can "
                "raise alarms."
            )
            return


def _conditions(found: Corrupted | LeftOut, calibration: Calibration) -> Iterator[str]:
    promise = calibration.fpr or calibration.false_alarm_rate
    if isinstance(found, LeftOut):
        return
    raised = []
    for name, row in found.conditions.items():
        level = next((i for i, one in enumerate(row, 1) if promise is not None and alarming(one, promise)), None)
        above = None if level is None else row[level - 1].above
        if above is not None:
            raised.append(f"{name} (from level {level}: {percent(above.rate)})")
    if raised:
        yield f"Raises more false alarms than promised under {listed(raised)}."
    hidden = [name for name, row in found.conditions.items() if min(one.shift for one in row) <= HIDDEN]
    if hidden:
        yield f"Under {listed(hidden)} normal images look more normal than they are: anomalies may pass."


def _fitted(detector: Detector) -> Iterator[str]:
    record = detector.artifact.record
    again, skipped = restarts(detector.artifact), len(rows_in(object_in(record, "data"), "skipped"))
    if again:
        yield (
            f"Training had a dead start and began anew {counted(again, 'time')} before it learned: another random seed "
            "may give another model."
        )
    if skipped:
        yield f"{counted(skipped, 'file')} could not be read and took no part: see Data."
    if number_in(object_in(record, "data"), "known_anomalies"):
        yield "It has learnt from known anomalies too: it may be better at their kinds than at others."


def _always(detector: Detector) -> Iterator[str]:
    spec = detector.layout.spec
    yield (
        "It knows what its training images show, and nothing else: what is normal but not among them is called "
        "anomalous, and an anomaly that looks like them is not found."
    )
    yield (
        f"It sees images of {spec.width} × {spec.height} pixels{'' if spec.channels == 3 else ' without colour'}: a "
        "defect that is lost at that size cannot be found."
    )
    yield ("Another camera, other light or another product makes other images: check for drift, and calibrate anew.")
