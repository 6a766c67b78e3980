"""The parts of a card that were measured for it."""

from __future__ import annotations

from collections.abc import Sequence

from amiss.calibration.conformal import Calibration
from amiss.evaluation.metrics import Interval
from amiss.evaluation.resampling import Share, share
from amiss.evaluation.robustness import Attacked
from amiss.report.card.content import NBSP, Grid, LeftOut, Part
from amiss.report.card.labelled import Labelled, Rival
from amiss.report.card.stressed import Changed, Corrupted, Drifted
from amiss.report.charts import Group, histogram, roc
from amiss.report.words import counted, number, p_text, percent
from amiss.transforms.corruptions import CONDITIONS, LEVELS

ALARMED = "▲"
"""Marks a share of false alarms that is above the promise."""
CHANCE, TESTS = 0.05, len(CONDITIONS) * len(LEVELS)
"""How likely one mark in the whole table is where the promise holds (Bonferroni)."""


def between(interval: Interval | Share) -> str:
    """An interval of figures from 0 to 1."""
    return f"{interval.low:.3f} to {interval.high:.3f}"


def labelled_part(found: Labelled | LeftOut, calibration: Calibration) -> Part:
    """Separation of labelled images, and what the decision does to them."""
    title = "Measured on labelled images"
    if isinstance(found, LeftOut):
        return Part(title, left_out=found.reason)
    rows: list[tuple[str, str, str]] = []
    charts = [histogram(_groups(found), calibration.threshold, title="Scores by label")]
    if found.separation is not None:
        result = found.separation.result
        rows += [
            (
                "AUROC",
                f"{result.auroc:.3f}",
                f"95 % bootstrap interval {between(result.auroc_interval)}; 0.5 is chance",
            ),
            (
                "AUPR, anomaly is positive",
                f"{result.aupr_out:.3f}",
                f"95 % bootstrap interval {between(found.separation.aupr)}; {result.base_rate:.3f} is chance",
            ),
            ("AUPR, normal is positive", f"{result.aupr_in:.3f}", f"{1 - result.base_rate:.3f} is chance"),
            ("FPR95", percent(result.fpr95), "of normal images lie above the threshold that finds 95 % of anomalies"),
        ]
        charts.append(roc(found.normal, found.anomalous, result.auroc, calibration.threshold))
    rows += _decided(found, calibration)
    text = [f"{counted(len(found.normal), 'normal image')} and {counted(len(found.anomalous), 'anomalous image')}."]
    if found.separation is None:
        text.append("No anomalous images were given: separation and detections were not measured.")
    elif calibration.threshold is None:
        text.append("The model has no threshold: false alarms and detections are not there to be counted.")
    return Part(title, tuple(text), (Grid(("figure", "value", "meaning"), tuple(rows), words=True),), tuple(charts))


def _groups(found: Labelled) -> list[Group]:
    return [Group("labelled normal", found.normal, "outline"), Group("labelled anomalous", found.anomalous, "filled")]


def _decided(found: Labelled, calibration: Calibration) -> list[tuple[str, str, str]]:
    exact = "95 % exact interval (Clopper-Pearson)"
    rows = []
    if found.alarms is not None:
        promise = "" if calibration.fpr is None else f"; at most {percent(calibration.fpr)} is promised"
        ends = f"{percent(found.alarms.low)} to {percent(found.alarms.high)}"
        rows.append(("false alarms", _counted(found.alarms), f"{exact} {ends}{promise}"))
    if found.separation is not None and found.separation.detected is not None:
        detected = found.separation.detected
        ends = f"{percent(detected.low)} to {percent(detected.high)}"
        rows.append(("detected", _counted(detected), f"{exact} {ends}"))
    return rows


def _counted(found: Share) -> str:
    return f"{found.part:,} of {found.whole:,} ({percent(found.rate)})".replace(" ", NBSP)


def standing(rival: Rival) -> str:
    """Where the model stands to a baseline, in words that the paired interval allows."""
    if rival.difference.low > 0:
        return f"ahead of {rival.title}"
    return f"behind {rival.title}" if rival.difference.high < 0 else f"not told apart from {rival.title}"


def compared_part(found: Sequence[Rival] | LeftOut, labelled: Labelled | LeftOut, name: str) -> Part:
    """The model beside baselines of the same training images."""
    title = "Compared with simple baselines"
    if isinstance(found, LeftOut):
        return Part(title, left_out=found.reason)
    assert isinstance(labelled, Labelled)
    assert labelled.separation is not None  # what is compared was measured
    own = labelled.separation
    rows = [
        (name, f"{own.result.auroc:.3f}", between(own.result.auroc_interval), "", _detected(own.detected)),
        *(
            (
                rival.title,
                f"{rival.auroc:.3f}",
                between(rival.interval),
                f"{rival.ahead:+.3f} ({rival.difference.low:+.3f} to {rival.difference.high:+.3f})",
                _detected(rival.detected),
            )
            for rival in found
        ),
    ]
    head = ("method", "AUROC", "95 % interval", "model less baseline", "detected")
    text = (
        "The baselines were fitted on the same training images, calibrated on the same images, and scored the same "
        "labelled images. The interval of the difference is a paired bootstrap: each resample takes the same images "
        "for both.",
        f"On these images {name} is {' and '.join(standing(rival) for rival in found)}.",
    )
    return Part(title, text, (Grid(head, tuple(rows)),))


def _detected(found: Share | None) -> str:
    return "–" if found is None else percent(found.rate)


def attack_part(found: Sequence[Attacked] | LeftOut) -> Part:
    """AUROC by radius."""
    title = "Robustness to small changes"
    if isinstance(found, LeftOut):
        return Part(title, left_out=found.reason)
    rows = tuple(
        ("clean" if row.eps == 0 else f"within {row.eps:g}", f"{row.auroc:.3f}", number(row.raised)) for row in found
    )
    text = (
        "Each labelled normal image was changed within a radius (white is 1) by 40 steps of projected gradient ascent "
        "so that it scores higher; anomalous images stayed as they are. A stronger attack may find more.",
    )
    return Part(title, text, (Grid(("attack", "AUROC", "mean rise of the score"), rows),))


def corruption_part(found: Corrupted | LeftOut, calibration: Calibration) -> Part:
    """False alarms and percentiles under conditions."""
    title = "Sensitivity to conditions"
    if isinstance(found, LeftOut):
        return Part(title, left_out=found.reason)
    promise = calibration.fpr or calibration.false_alarm_rate
    levels = tuple(f"level {level}" for level in LEVELS)
    grids = []
    if promise is not None:
        rows = [("as they are", *[_alarms(found.clean, promise)] * len(LEVELS))]
        rows += [(name, *(_alarms(one, promise) for one in row)) for name, row in found.conditions.items()]
        heat = tuple(
            tuple(_shade(one) for one in row) for row in ([found.clean] * len(LEVELS), *found.conditions.values())
        )
        of = f"Share of normal images above the threshold; {percent(promise)} is promised"
        grids.append(Grid(("condition", *levels), tuple(rows), of, heat=heat))
    rows = [(name, *(f"{one.shift:+.1f}" for one in row)) for name, row in found.conditions.items()]
    grids.append(Grid(("condition", *levels), tuple(rows), "Median change of the normal percentile, in points"))
    text = (
        f"{counted(found.n, 'normal image')} ({found.of}) were scored under conditions of the camera and the weather, "
        f"re-created after CURE-TSR, at five levels. {ALARMED} marks shares that are above the promise: if it held "
        "under every condition, the table would have a mark with a probability of at most "
        f"{percent(CHANCE)}. Shares far above the promise are false alarms. A percentile that falls says that images "
        "look more normal than they are, so that anomalies may pass.",
    )
    return Part(title, text, tuple(grids), lines=tuple(f"Left out: {reason}." for reason in found.left_out))


def alarming(one: Changed, promise: float) -> bool:
    """Whether more normal images are above the threshold than chance explains, in a table of so many shares."""
    if one.above is None:
        return False
    return share(one.above.part, one.above.whole, level=1 - 2 * CHANCE / TESTS).low > promise


def _alarms(one: Changed, promise: float) -> str:
    if one.above is None:
        return "–"
    return f"{percent(one.above.rate)}{f' {ALARMED}' if alarming(one, promise) else ''}"


def _shade(one: Changed) -> int:
    """0 for none of the images to 5 for all."""
    return 0 if one.above is None else round(5 * one.above.rate)


def drift_part(found: Drifted | LeftOut, calibration: Calibration, level: float) -> Part:
    """Whether recent images are like those that calibrate; level: below which p-value they are said not to be."""
    title = "Drift"
    if isinstance(found, LeftOut):
        return Part(title, left_out=found.reason)
    test = found.test
    rows = [
        ("recent images", f"{test.n:,}", f"against {counted(calibration.n, 'calibration image')}"),
        ("largest difference of the distributions", f"{test.statistic:.3f}", "Kolmogorov-Smirnov; 0 alike, 1 apart"),
        ("p-value", p_text(test.p_value), "probability of so large a difference where nothing has changed; exact"),
        ("median normal percentile", f"{found.percentile:.1f}", "50 is expected; higher = more anomalous"),
    ]
    if found.above is not None:
        ends = f"95 % exact interval {percent(found.above.low)} to {percent(found.above.high)}"
        rows.append(("above the threshold", _counted(found.above), ends))
    changed = test.p_value < level
    said = (
        f"The images differ from those that calibrate (p below {level:g}): the guarantee does not hold for them."
        if changed
        else f"No difference from the calibration images was found (p at least {level:g}); a small one may be there."
    )
    return Part(title, (said,), (Grid(("figure", "value", "meaning"), tuple(rows), words=True),))
