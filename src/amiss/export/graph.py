"""Everything that a decision takes, from stored pixels to label, as one module that `torch.export` traces."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from amiss.calibration.conformal import Calibration
from amiss.contracts import Scorer
from amiss.explain.parts import outermost
from amiss.scores.abilities import reconstructs
from amiss.transforms.unit import to_unit


class Decision(nn.Module):
    """Images (N, C, H, W) in the depth in which they are stored to all that can be said of each."""

    calibration_scores: Tensor  # (b, b) float64, sorted by rows, filled up with infinity
    threshold: Tensor  # () float64

    def __init__(self, scorer: Scorer, calibration: Calibration, *, maps: bool) -> None:
        """Take what decides; maps: whether there is a residual map where the scorer reconstructs."""
        super().__init__()
        self.scorer = scorer
        self.parts = outermost(scorer, reconstructs) if maps else []
        self.n = calibration.n
        self.decides = calibration.threshold is not None
        self.register_buffer("calibration_scores", torch.from_numpy(calibration_grid(calibration.scores)))
        self.register_buffer("threshold", torch.tensor(calibration.threshold or 0.0, dtype=torch.float64))

    @property
    def names(self) -> list[str]:
        """What `forward` returns, in its order."""
        there = {"p_value": self.n > 0, "pred_label": self.decides, "anomaly_map": bool(self.parts)}
        return ["pred_score", *(name for name, known in there.items() if known)]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """pred_score (N,) and p_value (N,) in float64, pred_label (N,) int64, anomaly_map (N, H, W) float32."""
        x = to_unit(images)
        score = self.scorer(x).to(torch.float64)  # as calibration does: float64 decides
        found = [score]
        if self.n:
            found.append((1 + reaching(score, self.calibration_scores, self.n)).to(torch.float64) / (self.n + 1))
        if self.decides:
            found.append((~(score <= self.threshold)).to(torch.int64))  # what is no number is no normal image
        if self.parts:
            found.append(torch.stack([(p.reconstruct(x) - x).square().mean(1) for p in self.parts]).mean(0))
        return tuple(found)


def calibration_grid(scores: np.ndarray) -> np.ndarray:
    """Sorted scores (n,) as the rows of a square (b, b), filled up with infinity."""
    side = max(1, math.isqrt(max(0, len(scores) - 1)) + 1)
    filled = np.full(side * side, np.inf)
    filled[: len(scores)] = scores
    return filled.reshape(side, side)


def reaching(score: Tensor, grid: Tensor, n: int) -> Tensor:
    """How many of the n calibration scores in a grid (b, b) are at least as high as each score (N,), int64.

    Two comparisons with b numbers, so that memory stays at (N, b). A score that is no number is reached by none.
    """
    side = grid.shape[0]
    rows = (~(grid[:, 0] >= score[:, None])).sum(1)  # those that begin below the score
    last = (rows - 1).clamp_min(0)  # all before it end below the score too
    below = last * side + (~(grid[last] >= score[:, None])).sum(1)
    return (n - below).clamp_min(0)
