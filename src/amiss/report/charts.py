"""The charts of a page: scores as histograms, ROC and precision-recall curves, and losses while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.report.drawing import Axis, Drawing
from amiss.report.page import Chart, Key
from amiss.report.words import counted, number, percent

FEWEST, MOST = 24, 48
"""Bins of a histogram: twice the square root of the smallest group, within these."""
TAILS = 0.05
"""Scores further beyond these quantiles than those lie apart are drawn in the outermost bins, or they would flatten the
rest."""
POINTS = 400
"""Most points of a curve."""


@dataclass(frozen=True, eq=False)
class Group:
    """Scores (n,) of some images, what they are called, and the class of their mark."""

    label: str
    scores: NDArray[np.float64]
    mark: str


def histogram(groups: Sequence[Group], threshold: float | None, *, title: str) -> Chart:
    """Each group's share of scores per bin, with the threshold."""
    groups = [group for group in groups if len(group.scores)]
    every = np.concatenate([group.scores for group in groups])
    low, high = _range(every, threshold)
    bins = int(np.clip(2 * np.sqrt(min(len(group.scores) for group in groups)), FEWEST, MOST))
    edges = np.linspace(low, high, bins + 1)
    shares = [np.histogram(group.scores.clip(low, high), edges)[0] / len(group.scores) for group in groups]
    top = max(float(share.max()) for share in shares)
    drawing = Drawing(520, 230, Axis(low, high, "score (higher = more anomalous)"), Axis(0, top * 1.2, "", share=True))
    for group, share in zip(groups, shares, strict=True):
        drawing.steps(edges, share, group.mark)
    if threshold is not None:
        drawing.upright(threshold, "threshold", f"threshold {number(threshold)}")
    summary = "; ".join(_spread(group, threshold) for group in groups)
    beyond = int(((every > high) | (every < low)).sum())
    if beyond:
        summary += f"; the outermost bars hold {counted(beyond, 'score')} from beyond them"
    keys = tuple(Key(group.mark, f"{group.label} ({len(group.scores):,})") for group in groups)
    return Chart(title, drawing.render(f"Histogram. {summary}"), summary, keys)


def _range(scores: NDArray[np.float64], threshold: float | None) -> tuple[float, float]:
    left, right = (float(q) for q in np.quantile(scores, [TAILS, 1 - TAILS]))
    low, high = max(float(scores.min()), 2 * left - right), min(float(scores.max()), 2 * right - left)
    if threshold is not None:
        low = min(low, max(threshold, float(scores.min())))
        high = max(high, threshold + 0.15 * (threshold - low))
    if high > low:
        return low, high
    margin = abs(low) * 0.05 or 0.5
    return low - margin, high + margin


def _spread(group: Group, threshold: float | None) -> str:
    middle = f"{group.label}: median {number(float(np.median(group.scores)))}"
    ends = f"from {number(float(group.scores.min()))} to {number(float(group.scores.max()))}"
    if threshold is None:
        return f"{middle}, {ends}"
    return f"{middle}, {ends}, {percent(float((group.scores > threshold).mean()))} above the threshold"


def roc(normal: NDArray[np.float64], anomalous: NDArray[np.float64], auroc: float, threshold: float | None) -> Chart:
    """Share of anomalies caught over share of false alarms, for every threshold."""
    false, true = _rates(normal, anomalous)
    drawing = Drawing(280, 250, Axis(0, 1, "false alarms, share of normal images", True), Axis(0, 1, "", True))
    drawing.line([0, 1], [0, 1], "chance")
    drawing.line(*_thin(false, true), "curve")
    summary = f"AUROC {auroc:.4f}; 0.5 is chance"
    if threshold is not None:
        at = float((normal > threshold).mean()), float((anomalous > threshold).mean())
        drawing.dot(*at, "here")
        summary += f". At the threshold: {percent(at[1])} of anomalies caught, {percent(at[0])} false alarms"
    keys = (Key("curve", "anomalies caught"), Key("chance", "chance"), *_here(threshold))
    return Chart("ROC curve", drawing.render(f"ROC curve. {summary}"), summary, keys)


def precision_recall(
    normal: NDArray[np.float64], anomalous: NDArray[np.float64], aupr: float, threshold: float | None
) -> Chart:
    """Share of true alarms among all alarms over share of anomalies caught, for every threshold."""
    false, true = _rates(normal, anomalous)
    hits, alarms = true * len(anomalous), true * len(anomalous) + false * len(normal)
    recall, precision = true[alarms > 0], hits[alarms > 0] / alarms[alarms > 0]
    base = len(anomalous) / (len(anomalous) + len(normal))
    drawing = Drawing(280, 250, Axis(0, 1, "anomalies caught, share of all", True), Axis(0, 1, "", True))
    drawing.line([0, 1], [base, base], "chance")
    drawing.line(*_thin(recall, precision), "curve")
    summary = f"Average precision (AUPR) {aupr:.4f}; {base:.4f} is chance"
    if threshold is not None and (called := int((normal > threshold).sum() + (anomalous > threshold).sum())):
        right = int((anomalous > threshold).sum())
        drawing.dot(right / len(anomalous), right / called, "here")
        summary += f". At the threshold: {percent(right / called)} of {counted(called, 'alarm')} are anomalies"
    keys = (Key("curve", "true alarms among all"), Key("chance", "chance"), *_here(threshold))
    return Chart("Precision and recall", drawing.render(f"Precision-recall curve. {summary}"), summary, keys)


def _here(threshold: float | None) -> tuple[Key, ...]:
    return () if threshold is None else (Key("here", "at the threshold"),)


def _rates(
    normal: NDArray[np.float64], anomalous: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of normal and of anomalous images above each threshold, from the highest; both begin at 0 and end at 1."""
    cuts = np.unique(np.concatenate([normal, anomalous]))[::-1]
    shares = [
        np.concatenate([[0.0], (len(s) - np.searchsorted(np.sort(s), cuts)) / len(s)]) for s in (normal, anomalous)
    ]
    return shares[0], shares[1]


def _thin(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(xs) <= POINTS:
        return xs, ys
    at = np.unique(np.linspace(0, len(xs) - 1, POINTS).round().astype(np.int64))
    return xs[at], ys[at]


def losses(title: str, epochs: Sequence[float], values: Sequence[float], chosen: float | None = None) -> Chart:
    """A loss by epoch; `chosen` marks the epoch that was kept."""
    xs, ys = np.asarray(epochs, np.float64), np.asarray(values, np.float64)
    low, high = float(ys.min()), float(ys.max())
    margin = 0.06 * (high - low) or abs(high) * 0.05 or 0.5
    last = max(float(xs[-1]), float(xs[0]) + 1)
    drawing = Drawing(280, 165, Axis(float(xs[0]), last, "epoch"), Axis(low - margin, high + margin, ""))
    drawing.line(*_thin(xs, ys), "curve")
    if len(xs) == 1:
        drawing.dot(float(xs[0]), float(ys[0]), "here")
    if chosen is not None:
        drawing.upright(chosen, "threshold", f"kept: {chosen:g}")
    summary = f"from {number(float(ys[0]))} in epoch {xs[0]:g} to {number(float(ys[-1]))} in epoch {xs[-1]:g}"
    return Chart(title, drawing.render(f"{title}: {summary}"), summary)
