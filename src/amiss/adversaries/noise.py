"""Inputs that are made hard without looking at the objective."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from amiss.adversaries.perturbation import Objective
from amiss.adversaries.ranges import check_ranges
from amiss.sharing import drawn


@dataclass(frozen=True)
class Noise:
    """Uniform noise between 0 and `high` on every value, as a denoising autoencoder sees it."""

    high: float = 0.1
    """Largest noise of a pixel value."""

    def __post_init__(self) -> None:
        check_ranges(self, high=(0, 1))

    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """Noisy images (B, C, H, W); the sum is clipped to [0, 1]."""
        return (x + drawn(x, lambda noise: noise.uniform_(0, self.high))).clamp(0, 1)


@dataclass(frozen=True)
class Clean:
    """No change at all."""

    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """The images (B, C, H, W) themselves."""
        return x
