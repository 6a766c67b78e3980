"""Rotations and translations, tried exhaustively (Engstrom et al., "Exploring the Landscape of Spatial Robustness")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import cos, inf, radians, sin

import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.adversaries.perturbation import Objective
from amiss.adversaries.ranges import check_ranges


@dataclass(frozen=True)
class Grid:
    """The rotation and translation, of a grid of them, that raises the objective most, for each image."""

    max_angle: float = 30.0
    """Largest rotation to either side, in degrees."""
    angles: int = 31
    """Rotations tried, evenly spaced; an odd number tries none too."""
    shift: float = 4.0
    """Largest translation along each axis, in pixels."""
    shifts: int = 3
    """Translations tried along each axis, evenly spaced."""

    def __post_init__(self) -> None:
        check_ranges(self, max_angle=(0, 180), angles=(1, inf), shift=(0, inf), shifts=(1, inf))

    def moves(self) -> Iterator[tuple[float, float, float]]:
        """Every angle in degrees, and translation down and across in pixels."""
        way = spaced(self.shift, self.shifts)
        return product(spaced(self.max_angle, self.angles), way, way)

    @torch.no_grad()
    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """Moved images (B, C, H, W) in [0, 1]; memory holds one move of the batch x (B, C, H, W) at a time."""
        worst, highest = x.clone(), x.new_full((len(x),), -inf)
        for angle, down, across in self.moves():
            moved = move(x, angle, down, across)
            values = objective(moved)
            higher = values > highest
            worst = torch.where(higher[:, None, None, None], moved, worst)
            highest = torch.where(higher, values, highest)
        return worst


def spaced(largest: float, n: int) -> list[float]:
    """n values from -largest to largest, evenly spaced; one value is 0."""
    return [0.0] if n == 1 else [largest * (2 * i - n + 1) / (n - 1) for i in range(n)]


def move(x: Tensor, angle: float, down: float, across: float) -> Tensor:
    """Images (B, C, H, W) turned anticlockwise about their middle by degrees, then shifted by pixels.

    Values between pixels are bilinear, and what comes from outside is black.
    """
    height, width = x.shape[2:]
    c, s = cos(radians(angle)), sin(radians(angle))
    # A pixel of the result comes from where the inverse leads, in units of half the sides.
    rows = [[c, -s * height / width, 0.0], [s * width / height, c, 0.0]]
    rows[0][2] = (-c * across + s * down) * 2 / width
    rows[1][2] = (-s * across - c * down) * 2 / height
    grid = F.affine_grid(x.new_tensor(rows)[None], [1, 1, height, width], align_corners=False)
    as_channels = x.reshape(1, -1, height, width)  # all images move alike, so the grid is worked out once
    return F.grid_sample(as_channels, grid, align_corners=False).view(x.shape).clamp(0, 1)
