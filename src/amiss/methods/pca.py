"""PCA: the part of an image that lies outside the principal subspace of normal images, on raw pixels.

J. E. Jackson, G. S. Mudholkar, "Control Procedures for Residuals Associated With Principal Component Analysis",
Technometrics 21(3), 1979, https://doi.org/10.1080/00401706.1979.10489779.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn import decomposition
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Method, Scorer, WorkError
from amiss.engine.collecting import CollectingLearner
from amiss.nets.pixels import require_fitted, row_length, rows, unrows, wide, wide_like


@dataclass(frozen=True)
class PCA(Method):
    """Hyperparameters of the principal subspace; raises InputError for values that are out of range."""

    components: float = 0.95
    """Share of the variance to keep, if below 1; otherwise the number of components, a whole number."""
    reference: int = 10_000
    """Most normal images that are fitted, a seeded random subset."""
    side: int = 32
    """Longer sides are averaged down to this many pixels."""

    def __post_init__(self) -> None:
        if not self.components > 0 or (self.components >= 1 and self.components % 1 != 0):
            raise InputError(
                f"pca was given components={self.components}: it must be a share of the variance between 0 and 1, "
                "or a whole number of components"
            )
        if self.reference < 2 or self.side < 1:
            raise InputError(
                f"pca was given reference={self.reference} and side={self.side}: they must be at least 2 and 1"
            )

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> PCALearner:
        """Make the learner; raises InputError for more components than pixels, and for known anomalies."""
        if known is not None:
            raise InputError("pca learns from normal images only: it cannot use known anomalies")
        pixels = row_length(spec, self.side)
        if self.components > pixels:
            raise InputError(
                f"pca was given components={self.components:.0f} for images of {pixels} values: give at most {pixels}"
            )
        return PCALearner(self, spec)


class PCALearner(CollectingLearner["PCAScorer"]):
    """Keeps normal images until their principal components are known."""

    def __init__(self, hp: PCA, spec: ImageSpec) -> None:
        super().__init__(spec, hp.reference, hp.side, PCAScorer(hp, spec))
        self.hp = hp

    def fit(self, images: Tensor) -> None:
        """Find the components, without a random start; raises WorkError for images that are too few or all the same."""
        needed = max(2, int(self.hp.components))
        if len(images) < needed:
            raise WorkError(
                f"pca with components={self.hp.components:g} was given {len(images)} training images: "
                f"give at least {needed}, or choose fewer components"
            )
        if torch.equal(images, images[:1].expand_as(images)):
            raise WorkError(f"pca was given {len(images)} training images that are all the same: give images that vary")
        solver = "covariance_eigh" if images.shape[0] >= images.shape[1] else "full"  # the smaller of two problems
        kept = self.hp.components if self.hp.components < 1 else int(self.hp.components)
        pca = decomposition.PCA(kept, svd_solver=solver).fit(images.cpu().double().numpy())
        self.fitted.mean = wide_like(images, pca.mean_)
        self.fitted.components = wide_like(images, pca.components_)


class PCAScorer(Scorer):
    """Mean squared error per value between an image and its projection on the principal subspace."""

    mean: Tensor  # (D,) float64
    components: Tensor  # (K, D) float64, orthonormal rows

    def __init__(self, hp: PCA, spec: ImageSpec) -> None:
        super().__init__()
        self.side = hp.side
        self.register_buffer("mean", torch.zeros(row_length(spec, hp.side), dtype=torch.float64))
        self.register_buffer("components", torch.zeros(0, row_length(spec, hp.side), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Errors (B,) >= 0; raises WorkError, a RuntimeError, before the fit."""
        require_fitted(self.components, "pca")
        return residual(rows(x, self.side), self.mean, self.components).to(x.dtype)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Projections (B, C, H, W) on the principal subspace; what averaging took away of larger images is added."""
        require_fitted(self.components, "pca")
        return x - unrows(outside(rows(x, self.side), self.mean, self.components), x, self.side)


def residual(x: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """Mean squared error (B,) of projecting rows (B, D) on mean (D,) and orthonormal components (K, D)."""
    return outside(x, mean, components).square().mean(1)


def outside(x: Tensor, mean: Tensor, components: Tensor) -> Tensor:
    """What of rows (B, D) lies outside the subspace, (B, D), in the widest type."""
    centred, components = wide(x) - mean, wide(components)
    return centred - centred @ components.T @ components
