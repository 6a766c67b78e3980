"""Scores that take no learning: what a data set gives away by itself, shown beside every result.

Each is worth a look one-sided and two-sided: the distance from what is usual among normal training images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amiss.data.images import Images
from amiss.evaluation.metrics import auroc
from amiss.objectives.variation import total_variation
from amiss.transforms.unit import to_unit

BATCH = 512


def brightness(x: Tensor) -> Tensor:
    """Mean value of images (B, C, H, W), (B,)."""
    return x.flatten(1).mean(1)


CONTROLS: Mapping[str, Callable[[Tensor], Tensor]] = {"total variation": total_variation, "mean brightness": brightness}


def controls(train: Images, test: Images, labels: NDArray[np.int64]) -> dict[str, float]:
    """AUROC of each control on test images with labels (N,), one-sided and two-sided."""
    found = {}
    for name, control in CONTROLS.items():
        usual, values = measured(control, train), measured(control, test)
        found[name] = auroc(values, labels)
        found[f"{name}, two-sided"] = auroc(np.abs(values - np.median(usual)), labels)
    return found


def measured(control: Callable[[Tensor], Tensor], images: Images) -> NDArray[np.float64]:
    """Values (N,) of a control on images."""
    starts = range(0, len(images), BATCH)
    parts = [images.take(np.arange(start, min(start + BATCH, len(images)))) for start in starts]
    return np.concatenate([control(to_unit(part)).double().numpy() for part in parts])
