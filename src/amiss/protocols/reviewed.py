"""The split of a reviewed pool: what a person said changes who trains, and never bends the calibration."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import DIGEST
from amiss.data.tiled import ImageSet
from amiss.protocols.split import LEAST_TRAINING, Split, clusters


@dataclass(frozen=True, eq=False)
class Parts:
    """What is used of a pool and the images that joined it, and how many were left out, and why."""

    images: ImageSet
    split: Split
    anomalous: int
    """Images of the pool with the pixels of an anomaly."""
    unsure: int
    """Images of the pool that would have trained or been held out and are left out, because nobody is sure of them."""
    joined: int
    """Images that trained although they are not of the pool."""
    apart: int
    """Images that did not join, because one of their group calibrates or is held out."""


def split_reviewed(
    images: ImageSet,
    own: NDArray[np.bool_],
    anomalous: Collection[str],
    unsure: Collection[str],
    divide: Callable[[ImageSet], Split],
) -> Parts:
    """Divide a pool after a review.

    Anomalies leave. What remains is divided by the usual rule; then images that nobody is sure of leave training and
    the held-out part, but not calibration, where they were drawn by chance. Images from outside the pool were picked
    for their scores, so they only train. Anomalies and unsure images are told by pixels, so copies go with them.

    own: (N,) which images are the pool's; the others join. anomalous, unsure: digests. divide: the usual rule.
    Raises InputError as `divide`, and where the marks leave nothing to train on or to select by.
    """
    digests = images.digests()
    bad, doubtful = (np.isin(digests, np.array([*known], dtype=DIGEST)) for known in (anomalous, unsure))
    pool = np.flatnonzero(own & ~bad)
    if not len(pool):
        raise InputError(f"all {int(own.sum())} training images are marked anomaly: nothing is left to train on")
    parts = divide(images.subset(pool))
    train, held_out = (part[~doubtful[part]] for part in (pool[parts.train], pool[parts.held_out]))
    calibration = pool[parts.calibration]
    unused = len(parts.train) + len(parts.held_out) - len(train) - len(held_out)
    new = np.flatnonzero(~own & ~bad & ~doubtful & ~np.isin(digests, digests[own]))
    near = _sharing(images, new, np.concatenate([held_out, calibration]))
    joined = new[~near]
    train = np.concatenate([train, joined])
    if len(train) < LEAST_TRAINING or (len(parts.held_out) and not len(held_out)):
        raise InputError(
            f"after the review {len(train)} images train and {len(held_out)} of {len(parts.held_out)} are held out, "
            f"because the others are marked unsure: training needs at least {LEAST_TRAINING}, a held-out part 1"
        )
    used = np.sort(np.concatenate([train, held_out, calibration]))
    split = Split(*(np.searchsorted(used, np.sort(part)) for part in (train, held_out, calibration)))
    return Parts(images.subset(used), split, int((own & bad).sum()), unused, len(joined), int(near.sum()))


def _sharing(images: ImageSet, new: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the new images are connected to others by groups, and by copies between groups."""
    if images.groups is None:
        return np.zeros(len(new), bool)
    cluster = clusters(len(images), [images.digests(), images.groups])
    return np.isin(cluster[new], cluster[others])
