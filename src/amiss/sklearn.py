"""The detector as a scikit-learn estimator: rows in, scikit-learn's signs out."""
# ruff: noqa: N803 (scikit-learn calls the rows X, and so do those who pass them by name)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.nn import functional as F

from amiss.artifact.file import from_bytes, to_bytes
from amiss.calibration.conformal import allowed
from amiss.contracts import ImageSpec, InputError, Method
from amiss.data.images import DIGEST, Images, digest
from amiss.data.resample import SIZES, choose_size
from amiss.detector import Detector
from amiss.engine.runtime import place
from amiss.engine.scoring import score_images

Rows = NDArray[np.generic]

FARTHEST = 1000.0
"""Most training ranges that a value may lie outside; further ones count as this far, lest float32 overflow."""

_CHUNK = 1024  # rows turned into images at a time


@dataclass(frozen=True)
class Shaping:
    """How rows (N, D) become images: scaled by a training minimum and maximum, shaped, resized."""

    shape: tuple[int, int, int]
    """Channels, height and width before resizing; a row that is shorter is padded with the minimum."""
    spec: ImageSpec
    """The images that the method sees."""
    low: float = 0.0
    high: float = 1.0

    def images(self, x: Rows) -> NDArray[np.float32]:
        """Images (N, C, H, W): the training range is [0, 1], and values outside of it stay outside."""
        with np.errstate(over="ignore"):
            scaled = (x.astype(np.float64) - self.low) / ((self.high - self.low) or 1.0)
        unit = torch.from_numpy(scaled.clip(-FARTHEST, 1 + FARTHEST).astype(np.float32))
        missing = math.prod(self.shape) - unit.shape[1]
        pixels = F.pad(unit, (0, missing)).reshape(-1, *self.shape)
        if self.shape != (self.spec.channels, self.spec.height, self.spec.width):
            # Unlike LANCZOS, with which files are resized, this never leaves the range of what it is given.
            side = self.spec.height, self.spec.width
            pixels = F.interpolate(pixels, side, mode="bilinear", align_corners=False, antialias=True)
        return pixels.numpy()

    def chunks(self, x: Rows) -> Iterator[NDArray[np.float32]]:
        """The images of rows (N, D), a bounded number at a time."""
        return (self.images(x[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK))


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Detector for rows (n_samples, n_features), with scikit-learn's signs: 1 normal, -1 anomalous, higher = normal.

    method: a name from `amiss.catalog.names()` or a Method. fpr: promised false-alarm rate in (0, 1); "auto" is
    0.05, or the smallest rate that half of the rows support where that is larger. random_state: an int, None or a
    RandomState. image_shape: (height, width) or (channels, height, width) of a row; otherwise rows are padded to a
    square. size: side in pixels to which images are resized; by default it follows the rows. device: auto, cpu, cuda,
    cuda:N or mps.

    After a fit: `detector_`, the Detector of the images that rows became; `offset_`, minus its threshold; `fpr_`, its
    rate; `shaping_`, how rows became images; `n_features_in_`, and `feature_names_in_` where columns have names.
    """

    detector_: Detector
    offset_: float
    fpr_: float
    shaping_: Shaping

    def __init__(
        self,
        method: str | Method = "gradcon",
        *,
        fpr: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = 0,
        image_shape: tuple[int, ...] | None = None,
        size: int | None = None,
        device: str = "auto",
    ) -> None:
        self.method = method
        self.fpr = fpr
        self.random_state = random_state
        self.image_shape = image_shape
        self.size = size
        self.device = device

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train on normal rows (N, D) and calibrate on others that training did not see; y is ignored.

        Raises InputError, a ValueError, for parameters or rows that cannot be used, and WorkError if training fails.
        """
        x: Rows = validate_data(self, X, dtype="numeric", ensure_min_samples=2)
        shape, spec = _shape(x.shape[1], self.image_shape, self.size)
        rate = self._rate(len(x))
        detector = Detector(self.method, fpr=rate, random_state=self._seed(), device=self.device)
        # The range is learned from rows that do not calibrate: the promise holds for rows that nothing else saw.
        blank = np.broadcast_to(np.float32(0), (len(x), spec.channels, spec.height, spec.width))
        equal = np.array([digest(row.astype(np.float64) + 0.0) for row in x], dtype=DIGEST)
        parts = detector.split(Images(blank, digests=equal))
        learned = x[np.concatenate([parts.train, parts.held_out])]
        shaping = Shaping(shape, spec, float(learned.min()), float(learned.max()))
        pixels = np.concatenate(list(shaping.chunks(x)))
        detector.fit_split(Images(pixels, digests=equal), parts, check=False)
        self.shaping_, self.fpr_ = shaping, rate
        assert detector.threshold_ is not None  # it has a rate
        self.offset_ = -detector.threshold_
        self.detector_ = Detector.of(detector.artifact, device=self.device)  # without the training images
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the anomaly scores of rows (N, D): (N,), higher = more normal."""
        check_is_fitted(self, "detector_")
        x: Rows = validate_data(self, X, dtype="numeric", reset=False)
        scorer = self.detector_.artifact.scorer
        place(scorer, self.detector_.runtime.resolve())
        return -np.concatenate([score_images(scorer, Images(part)) for part in self.shaping_.chunks(x)])

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """`score_samples` less `offset_`, (N,): negative = anomalous."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Labels (N,): 1 normal, -1 anomalous; false alarms on normal rows at most `fpr_`."""
        return np.where(self.decision_function(X) < 0, -1, 1).astype(np.int64)

    def _rate(self, n: int) -> float:
        if isinstance(self.fpr, str) and self.fpr == "auto":
            return auto_rate(n)
        if isinstance(self.fpr, bool) or not isinstance(self.fpr, Real):
            raise InputError(f'fpr={self.fpr!r} is not a false-alarm rate: give a number between 0 and 1, or "auto"')
        return float(self.fpr)

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def __getstate__(self) -> dict[str, object]:
        """The parameters, and the fitted model as the bytes of its file."""
        state: dict[str, object] = dict(super().__getstate__())
        if "detector_" in state:
            state["detector_"] = to_bytes(self.detector_.artifact)
        return state

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Rebuild the model from its bytes; raises InputError if they were altered."""
        model = state.get("detector_")
        if isinstance(model, bytes):
            state = {**state, "detector_": Detector.of(from_bytes(model), device=str(state["device"]))}
        super().__setstate__(dict(state))


def auto_rate(n: int) -> float:
    """0.05, or 1 / (m + 1) if that is larger: the smallest rate that m = n // 2 calibration rows support."""
    most = n // 2
    least = 1 / (most + 1)
    if allowed(least, most) < 1:  # rounded down, 1 / (m + 1) would ask for one image more
        least = math.nextafter(least, 1)
    return max(0.05, least)


def _shape(
    features: int, image_shape: tuple[int, ...] | None, size: int | None
) -> tuple[tuple[int, int, int], ImageSpec]:
    """The shape (C, H, W) of one row, and the images that it is resized to; raises InputError where they do not fit."""
    if image_shape is None:
        side = math.isqrt(features - 1) + 1
        holds = min((s for s in SIZES if s >= side), default=SIZES[-1])
        target = choose_size(np.array([holds]), size)
        return (1, side, side), ImageSpec(1, target, target)
    axes = tuple(image_shape)
    if len(axes) not in (2, 3) or not all(isinstance(n, Integral) and n > 0 for n in axes):
        raise InputError(f"image_shape={image_shape!r} is not (height, width) or (channels, height, width)")
    if math.prod(axes) != features:
        raise InputError(f"image_shape={image_shape!r} holds {math.prod(axes)} values, and rows have {features}")
    channels, height, width = (1, *axes) if len(axes) == 2 else axes
    target = choose_size(np.array([min(height, width)]), size)
    return (channels, height, width), ImageSpec(channels, target, target)
