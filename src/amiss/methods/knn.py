"""KNN: the distance from an image to its k-th nearest normal image, on raw pixels.

S. Ramaswamy, R. Rastogi, K. Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000,
https://doi.org/10.1145/342009.335437.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Method, Scorer, WorkError
from amiss.engine.collecting import CollectingLearner
from amiss.nets.pixels import require_fitted, row_length, rows, squared_distances, unrows, wide


@dataclass(frozen=True)
class KNN(Method):
    """Hyperparameters of the k-th nearest neighbour; raises InputError for values that are out of range."""

    k: int = 5
    """Which nearest normal image the distance is taken to."""
    reference: int = 10_000
    """Most normal images that are kept, a seeded random subset."""
    side: int = 32
    """Longer sides are averaged down to this many pixels."""

    def __post_init__(self) -> None:
        if self.k < 1 or self.side < 1:
            raise InputError(f"knn was given k={self.k} and side={self.side}: both must be at least 1")
        if self.reference < self.k:
            raise InputError(f"knn was given reference={self.reference}: it must be at least k={self.k}")

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> KNNLearner:
        """Make the learner for images of any shape; raises InputError for known anomalies."""
        if known is not None:
            raise InputError("knn learns from normal images only: it cannot use known anomalies")
        return KNNLearner(self, spec)


class KNNLearner(CollectingLearner["KNNScorer"]):
    """Keeps normal images."""

    def __init__(self, hp: KNN, spec: ImageSpec) -> None:
        super().__init__(spec, hp.reference, hp.side, KNNScorer(hp, spec))
        self.hp = hp

    def fit(self, images: Tensor) -> None:
        """Make what was kept the reference; raises WorkError for fewer images than k."""
        if len(images) < self.hp.k:
            raise WorkError(
                f"knn with k={self.hp.k} was given {len(images)} training images: "
                f"give at least {self.hp.k}, or choose a smaller k"
            )
        self.fitted.reference = images


class KNNScorer(Scorer):
    """Distance to the k-th nearest reference image, in pixel units; its gradient jumps where neighbours change."""

    reference: Tensor  # (N, D), as the images came: float32

    def __init__(self, hp: KNN, spec: ImageSpec) -> None:
        super().__init__()
        self.k, self.side = hp.k, hp.side
        self.register_buffer("reference", torch.zeros(0, row_length(spec, hp.side)))

    def forward(self, x: Tensor) -> Tensor:
        """Distances (B,) >= 0; raises WorkError, a RuntimeError, before the fit."""
        require_fitted(self.reference, "knn")
        return kth_distance(rows(x, self.side), self.reference, self.k).to(x.dtype)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The k-th nearest images (B, C, H, W); what averaging took away of larger images is added."""
        require_fitted(self.reference, "knn")
        of = rows(x, self.side)
        return x - unrows(wide(of) - wide(kth_nearest(of, self.reference, self.k)), x, self.side)


def kth_distance(x: Tensor, reference: Tensor, k: int) -> Tensor:
    """Euclidean distance (B,) of rows (B, D) to the k-th nearest row of the reference (N, D), in the widest type.

    The neighbour is found from rounded squared distances and the distance to it is then taken directly: exactly 0 for
    a copy, and the same in any batch.
    """
    return torch.linalg.vector_norm(wide(x) - wide(kth_nearest(x, reference, k)), dim=1)


def kth_nearest(x: Tensor, reference: Tensor, k: int) -> Tensor:
    """The k-th nearest rows (B, D) of the reference (N, D) to rows (B, D)."""
    nearest = squared_distances(x.detach(), reference).topk(k, dim=1, largest=False).indices
    return reference[nearest[:, -1]]
