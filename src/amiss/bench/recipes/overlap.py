"""Overlap of the histograms of normal images and anomalies, pooled over several cells, from the quantiles in rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amiss.bench.recipe import Column, Line, Value, number, trial_of
from amiss.bench.results import Row

BINS = 100


def overlap(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Percentage of overlap of the line's part of the score, all rows pooled: GradCon's Figures 5 and 6."""
    return pooled(rows, str(column.term or line.term))


def overlap_difference(term: str, other: str) -> Value:
    """Return the value of one part's overlap less that of another part of the same score."""

    def value(rows: Sequence[Row], line: Line, column: Column) -> float | None:
        a, b = pooled(rows, term), pooled(rows, other)
        return None if a is None or b is None else a - b

    return value


def pooled(rows: Sequence[Row], term: str, bins: int = BINS) -> float | None:
    """Percentage of samples in the overlapped region, in [0, 50] for balanced sides; None where a row lacks the part.

    Rows keep quantiles, not scores. Between two neighbouring quantiles as many scores are taken to lie evenly, which
    gives each row's distribution function as a line through its quantiles; the pooled histogram has `bins` bins from
    the smallest to the largest score of any row. With 41 quantiles the result is within two percentage points of that
    of the scores themselves for smooth distributions; a test holds it to that.
    """
    sides: list[list[tuple[NDArray[np.float64], float]]] = [[], []]
    for row in rows:
        found, trial = row.get("quantiles"), trial_of(row, None)
        part = found.get(term) if isinstance(found, dict) else None
        counts = number(trial, "normal"), number(trial, "anomalous")
        if not isinstance(part, list):
            return None
        for side, values, count in zip(sides, part, counts, strict=True):
            if count is None:
                return None
            side.append((np.asarray(values, dtype=np.float64), count))
    every = np.concatenate([values for side in sides for values, _ in side]) if rows else np.zeros(1)
    if every.min() == every.max():
        return None
    edges = np.linspace(every.min(), every.max(), bins + 1)
    normal, anomalous = (_histogram(side, edges) for side in sides)
    return float(100 * np.minimum(normal, anomalous).sum() / (normal.sum() + anomalous.sum()))


def _histogram(side: Sequence[tuple[NDArray[np.float64], float]], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.zeros(len(edges) - 1)
    for quantiles, count in side:
        below = np.interp(edges, quantiles, np.linspace(0, 1, len(quantiles)))
        below[edges >= quantiles[-1]], below[edges < quantiles[0]] = 1, 0
        counts += count * np.diff(np.concatenate([[0.0], below[1:-1], [1.0]]))
    return counts
