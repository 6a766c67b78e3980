"""Normal images into training, held-out and calibration; neither copies nor groups stand on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError

LEAST_TRAINING = 2
"""Fewest training images: below this there is nothing to learn what varies."""


class Images(Protocol):
    """What a split asks of images."""

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Group codes (N,), or None."""

    def __len__(self) -> int: ...

    def digests(self) -> NDArray[np.generic]:
        """One row per image, equal for equal pixels."""


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the images of each part, int64 and ascending; together every image once."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    calibration: NDArray[np.int64]


def held_out_size(n: int) -> int:
    """Return how many of n images that do not calibrate are held out of training: 10 %, and at least 1."""
    return max(1, n // 10)


def split(images: Images, *, n_calibration: int, n_held_out: int, seed: int) -> Split:
    """Split normal images by whole clusters, in an order that only the seed decides.

    A cluster is everything that equal pixels or equal group codes connect. Clusters fill calibration until it holds
    `n_calibration` images, then held-out until `n_held_out`; the rest trains. So a part may exceed its size by less
    than its last cluster. A cluster that would bring calibration above half of all images, or held-out above half of
    what calibration left, is passed over for the next.

    Raises InputError where fewer than 2 images would train, or where the clusters cannot fill a part; it says how many
    independent images there are.
    """
    n = len(images)
    if n_calibration < 0 or n_held_out < 0:
        raise InputError(
            f"{n_calibration} calibration and {n_held_out} held-out images were asked for: at least 0 each"
        )
    if n - n_calibration - n_held_out < LEAST_TRAINING:
        raise InputError(
            f"{n} {'image was' if n == 1 else 'images were'} given: training needs at least {LEAST_TRAINING}, "
            f"calibration {n_calibration} and held-out {n_held_out}"
        )
    cluster = clusters(n, [images.digests()] + ([] if images.groups is None else [images.groups]))
    sizes = np.bincount(cluster)
    order = np.random.default_rng(seed).permutation(len(sizes))
    taken = _take(sizes, order, n_calibration, max(n_calibration, n // 2))
    rest = order[~np.isin(order, taken)]
    left = n - int(sizes[taken].sum())
    held = _take(sizes, rest, n_held_out, max(n_held_out, left // 2))
    calibration, held_out = np.isin(cluster, taken), np.isin(cluster, held)
    parts = Split(
        *(np.flatnonzero(part).astype(np.int64) for part in (~(calibration | held_out), held_out, calibration))
    )
    if len(parts.calibration) < n_calibration or len(parts.held_out) < n_held_out or len(parts.train) < LEAST_TRAINING:
        raise InputError(
            f"the {n} images form {len(sizes)} independent sets of equal or grouped images, the largest of "
            f"{sizes.max()}: they cannot be divided into {n_calibration} for calibration, {n_held_out} held out and at "
            f"least {LEAST_TRAINING} for training with each set on one side"
        )
    return parts


def clusters(n: int, keys: Sequence[NDArray[np.generic]]) -> NDArray[np.int64]:
    """Number the connected sets of n images, (N,) from 0; images are connected where any key is equal.

    keys: each (N,) or (N, columns).
    """
    codes = [np.unique(key, axis=0, return_inverse=True)[1].reshape(n) for key in keys]
    label = np.arange(n)
    while True:
        before = label
        for code in codes:
            lowest = np.full(n, n)
            np.minimum.at(lowest, code, label)
            label = lowest[code]
        label = label[label]  # a label is an image of the same set, so its label is one too, and lower
        if np.array_equal(label, before):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _take(sizes: NDArray[np.int64], order: NDArray[np.int64], wanted: int, limit: int) -> NDArray[np.int64]:
    """Clusters in `order` until they hold `wanted` images, without those that would bring them above `limit`."""
    taken: list[int] = []
    held = 0
    for c in order:
        if held >= wanted:
            break
        if held + sizes[c] <= limit:
            taken.append(int(c))
            held += int(sizes[c])
    return np.asarray(taken, dtype=np.int64)
