"""OCSVM: the one-class support vector machine with a Gaussian kernel, on raw pixels.

B. Schölkopf, J. C. Platt, J. Shawe-Taylor, A. J. Smola, R. C. Williamson, "Estimating the Support of a
High-Dimensional Distribution", Neural Computation 13(7), 2001, https://doi.org/10.1162/089976601750264965.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from sklearn.svm import OneClassSVM
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Method, Scorer
from amiss.engine.collecting import CollectingLearner
from amiss.nets.pixels import require_fitted, row_length, rows, squared_distances, wide, wide_like


@dataclass(frozen=True)
class OCSVM(Method):
    """Hyperparameters of the one-class support vector machine; raises InputError for values that are out of range."""

    nu: float = 0.1
    """Upper bound on the share of training images outside the boundary, above 0 and at most 1."""
    gamma: float | None = None
    """Inverse squared width of the kernel; if not given, scikit-learn's "scale": 1 / (values per image * variance)."""
    reference: int = 10_000
    """Most normal images that are fitted, a seeded random subset."""
    side: int = 32
    """Longer sides are averaged down to this many pixels."""

    def __post_init__(self) -> None:
        if not 0 < self.nu <= 1:
            raise InputError(f"ocsvm was given nu={self.nu}: it must be above 0 and at most 1")
        if self.gamma is not None and not 0 < self.gamma < math.inf:
            raise InputError(f"ocsvm was given gamma={self.gamma}: it must be above 0, and finite")
        if self.reference < 1 or self.side < 1:
            raise InputError(
                f"ocsvm was given reference={self.reference} and side={self.side}: both must be at least 1"
            )

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> OCSVMLearner:
        """Make the learner for images of any shape; raises InputError for known anomalies."""
        if known is not None:
            raise InputError("ocsvm learns from normal images only: it cannot use known anomalies")
        return OCSVMLearner(self, spec)


class OCSVMLearner(CollectingLearner["OCSVMScorer"]):
    """Keeps normal images until their support vectors are known."""

    def __init__(self, hp: OCSVM, spec: ImageSpec) -> None:
        super().__init__(spec, hp.reference, hp.side, OCSVMScorer(hp, spec))
        self.hp = hp

    def fit(self, images: Tensor) -> None:
        """Find the support vectors."""
        x = images.cpu().double().numpy()
        variance = float(x.var())
        scale = 1 / (x.shape[1] * variance) if variance > 0 else 1.0
        svm = OneClassSVM(nu=self.hp.nu, gamma=scale if self.hp.gamma is None else self.hp.gamma)
        svm.random_state = 0  # else the fit draws a seed, which it does not use, from NumPy's global state
        svm.fit(x)
        self.fitted.vectors = images[torch.tensor(svm.support_, dtype=torch.int64, device=images.device)]
        self.fitted.dual = wide_like(images, svm.dual_coef_[0])
        self.fitted.intercept = wide_like(images, svm.intercept_[0])
        self.fitted.gamma = wide_like(images, svm.gamma)


class OCSVMScorer(Scorer):
    """Minus the decision function: above 0 outside the boundary that the machine drew, below 0 inside."""

    vectors: Tensor  # (S, D), as the images came: float32
    dual: Tensor  # (S,) float64, in (0, 1]
    intercept: Tensor  # () float64, minus rho
    gamma: Tensor  # () float64

    def __init__(self, hp: OCSVM, spec: ImageSpec) -> None:
        super().__init__()
        self.side = hp.side
        self.register_buffer("vectors", torch.zeros(0, row_length(spec, hp.side)))
        self.register_buffer("dual", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("intercept", torch.zeros((), dtype=torch.float64))
        self.register_buffer("gamma", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B,); raises WorkError, a RuntimeError, before the fit."""
        require_fitted(self.vectors, "ocsvm")
        kernel = torch.exp(-self.gamma * squared_distances(rows(x, self.side), self.vectors))
        return -(kernel @ wide(self.dual) + self.intercept).to(x.dtype)
