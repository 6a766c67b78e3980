"""Figures for notebooks: scores beside the threshold, and the images that score highest."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import Calibration
from amiss.calibration.notebook import cell
from amiss.calibration.table import ScoreRow, ScoreTable
from amiss.contracts import InputError
from amiss.data.images import TOP, Layout
from amiss.data.stream import Chunk

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.figure import Figure as Figure

BLUE, RUST = "#0b5aa6", "#9a3b00"
"""Told apart by people of any colour vision, and in grey by lightness and by the style of the line."""
COLUMNS = 4
TALL = 26
"""Characters of a name that fit above a picture."""


def require_matplotlib() -> ModuleType:
    """Return matplotlib.pyplot; raises InputError where the extra is not installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise InputError('a figure needs Matplotlib: pip install "amiss[report]"') from error
    return plt


def scores_figure(calibration: Calibration, scores: NDArray[np.float64] | None) -> Figure:
    """Shares of calibration scores (n,) and, if given, of other scores (N,), with the threshold.

    Raises InputError without any scores, and without Matplotlib.
    """
    plt = require_matplotlib()
    groups = [part for part in (calibration.scores, scores) if part is not None and len(part)]
    if not groups:
        raise InputError("there are no scores to plot: the model has no calibration images; give images as x")
    edges = np.histogram_bin_edges(np.concatenate(groups), bins=40)
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    if calibration.n:
        label = f"calibration, normal ({calibration.n:,})"
        axes.stairs(_shares(calibration.scores, edges), edges, color="black", linewidth=1.5, label=label)
    if scores is not None and len(scores):
        label = f"these images ({len(scores):,})"
        axes.stairs(_shares(scores, edges), edges, fill=True, color=BLUE, alpha=0.4, label=label)
    if calibration.threshold is not None:
        label = f"threshold {cell(calibration.threshold)}"
        axes.axvline(calibration.threshold, color=RUST, linestyle="--", label=label)
    axes.set(xlabel="score (higher = more anomalous)", ylabel="share of images in %", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)  # the caller has it; a notebook would else show it twice
    return figure


def _shares(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100 * np.histogram(scores, edges)[0] / len(scores)


def examples_figure(scored: Iterable[tuple[ScoreTable, Chunk]], layout: Layout, n: int) -> Figure:
    """The n images that score highest, with name, score and p-value; a frame is drawn around those labelled 1.

    Keeps no more than n images at a time. Raises InputError for n below 1, and without Matplotlib.
    """
    plt = require_matplotlib()
    if n < 1:
        raise InputError(f"{n} examples cannot be shown: give at least 1")
    chosen = _highest(scored, n)
    rows = max(1, ceil(len(chosen) / COLUMNS))
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(8, 2.4 * rows), layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (row, image) in zip(grid.flat, chosen, strict=False):
        unit = image.astype(np.float64) / TOP[layout.depth]
        axes.imshow(unit[0] if len(unit) == 1 else unit.transpose(1, 2, 0), cmap="gray", vmin=0, vmax=1)
        axes.set_title(_caption(row), fontsize=8, parse_math=False)
        if row.pred_label == 1:
            axes.set_axis_on()
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(color=RUST, linewidth=3)
    plt.close(figure)  # the caller has it; a notebook would else show it twice
    return figure


def _highest(scored: Iterable[tuple[ScoreTable, Chunk]], n: int) -> list[tuple[ScoreRow, NDArray[np.generic]]]:
    """Rows and copies of the n images of highest score, the highest first; of equal ones, those that came first."""
    heap: list[tuple[float, int, ScoreRow, NDArray[np.generic]]] = []
    seen = 0
    for table, chunk in scored:
        for row, image in zip(table, chunk.pixels.numpy(), strict=True):
            seen += 1
            if len(heap) < n:
                heapq.heappush(heap, (row.pred_score, -seen, row, image.copy()))
            elif row.pred_score > heap[0][0]:
                heapq.heapreplace(heap, (row.pred_score, -seen, row, image.copy()))
    return [(row, image) for _, _, row, image in sorted(heap, key=lambda one: one[:2], reverse=True)]


def _caption(row: ScoreRow) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in row.image_path)
    name = shown if len(shown) <= TALL else f"…{shown[1 - TALL :]}"
    p_value = "" if row.p_value is None else f", p {cell(row.p_value)}"
    label = " ▲" if row.pred_label == 1 else ""
    return f"{name}\nscore {cell(row.pred_score)}{p_value}{label}"
