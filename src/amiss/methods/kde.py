"""KDE: minus the logarithm of a Gaussian kernel density estimate of normal images, on raw pixels.

E. Parzen, "On Estimation of a Probability Density Function and Mode", The Annals of Mathematical Statistics 33(3),
1962, https://doi.org/10.1214/aoms/1177704472.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Method, Scorer, WorkError
from amiss.engine.collecting import CollectingLearner
from amiss.nets.pixels import require_fitted, row_length, rows, squared_distances, wide_like

BANDWIDTHS = tuple(np.geomspace(0.01, 1.0, 21).tolist())
"""Bandwidths that compete, in units of a pixel's range, each 1.26 times the one before."""
FOLDS = 3
SELECTION = 1_000
"""Most images that the competition looks at."""


@dataclass(frozen=True)
class KDE(Method):
    """Hyperparameters of the kernel density estimate; raises InputError for values that are out of range."""

    bandwidth: float | None = None
    """Width of the kernel, in units of a pixel's range; chosen by cross-validated likelihood if not given."""
    reference: int = 10_000
    """Most normal images that are kept, a seeded random subset."""
    side: int = 32
    """Longer sides are averaged down to this many pixels."""

    def __post_init__(self) -> None:
        if self.bandwidth is not None and not 0 < self.bandwidth < math.inf:
            raise InputError(f"kde was given bandwidth={self.bandwidth}: it must be above 0, and finite")
        if self.reference < 1 or self.side < 1:
            raise InputError(f"kde was given reference={self.reference} and side={self.side}: both must be at least 1")

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> KDELearner:
        """Make the learner for images of any shape; raises InputError for known anomalies."""
        if known is not None:
            raise InputError("kde learns from normal images only: it cannot use known anomalies")
        return KDELearner(self, spec)


class KDELearner(CollectingLearner["KDEScorer"]):
    """Keeps normal images, and chooses the width of the kernel."""

    def __init__(self, hp: KDE, spec: ImageSpec) -> None:
        super().__init__(spec, hp.reference, hp.side, KDEScorer(hp, spec))
        self.hp = hp

    def fit(self, images: Tensor) -> None:
        """Make what was kept the reference; raises WorkError where there are too few images to choose a width from."""
        bandwidth = choose_bandwidth(images) if self.hp.bandwidth is None else self.hp.bandwidth
        self.fitted.bandwidth = wide_like(images, bandwidth)
        self.fitted.reference = images


class KDEScorer(Scorer):
    """Minus the log density of an image, in nats."""

    reference: Tensor  # (N, D), as the images came: float32
    bandwidth: Tensor  # () float64

    def __init__(self, hp: KDE, spec: ImageSpec) -> None:
        super().__init__()
        self.side = hp.side
        self.register_buffer("reference", torch.zeros(0, row_length(spec, hp.side)))
        self.register_buffer("bandwidth", torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B,); raises WorkError, a RuntimeError, before the fit."""
        require_fitted(self.reference, "kde")
        squared = squared_distances(rows(x, self.side), self.reference)
        return -log_density(squared, self.reference.shape[1], self.bandwidth).to(x.dtype)


def log_density(squared: Tensor, pixels: int, bandwidth: Tensor) -> Tensor:
    """Log density (B,) from squared distances (B, N) to Gaussians in `pixels` dimensions of width `bandwidth`, ()."""
    normalizer = math.log(squared.shape[1]) + pixels / 2 * torch.log(2 * math.pi * bandwidth**2)
    return torch.logsumexp(-squared / (2 * bandwidth**2), 1) - normalizer


def choose_bandwidth(reference: Tensor) -> float:
    """The one of BANDWIDTHS under which the first rows (N, D) are likeliest, each third given the two others."""
    if len(reference) < FOLDS:
        raise WorkError(
            f"kde was given {len(reference)} training images to choose its bandwidth from: "
            f"give at least {FOLDS}, or set the bandwidth"
        )
    folds = reference[:SELECTION].tensor_split(FOLDS)
    widths = wide_like(reference, np.array(BANDWIDTHS))
    likelihoods = torch.zeros_like(widths)
    for i, held in enumerate(folds):
        squared = squared_distances(held, torch.cat(folds[:i] + folds[i + 1 :]))
        likelihoods += torch.stack([log_density(squared, reference.shape[1], h).sum() for h in widths])
    return BANDWIDTHS[int(likelihoods.argmax())]
