"""One class is normal, all others are anomalies: the protocols of GradCon (Section 5.1) and ARAE (protocol 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.labels import Labels

FOLDS = 5


class Labelled(Protocol):
    """Images with the class of each."""

    @property
    def images(self) -> Images:
        """N images."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Classes (N,), an index of `classes` each."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """Normal training images, test images and their labels; no training or validation image equals a test image."""

    train: Images
    test: Images
    labels: Labels
    name: str
    dropped: int  # images left out of training and validation because an equal one stands further towards the test
    validation: Images | None = None  # normal; where the protocol names a fold for selection


def balanced(train: Labelled, test: Labelled, normal: int, seed: int) -> OneVsRest:
    """Train on a class's official training images; test on its official test images and equally many of other classes.

    The outliers are drawn at random from all other classes together, without replacement. Raises InputError for a class
    that does not exist, or of which either side has no images, or with fewer outliers than normal test images.
    """
    name = _class_name(train, normal)
    inliers, others = np.flatnonzero(test.labels == normal), np.flatnonzero(test.labels != normal)
    own = np.flatnonzero(train.labels == normal)
    chosen = _test_index(inliers, others, name, np.random.default_rng(seed))
    test_images = test.images.subset(chosen)
    kept = _unequal(train.images.subset(own), [test_images])
    return OneVsRest(
        train=train.images.subset(own[kept]),
        test=test_images,
        labels=Labels(test.labels[chosen] != normal),
        name=f"{name} against the rest, balanced test",
        dropped=len(own) - len(kept),
    )


def entire(train: Labelled, test: Labelled, normal: int) -> OneVsRest:
    """Train on a class's official training images; test on all official test images.

    ARAE's protocol 2 (Salehi et al. 2020). Raises InputError for a class that does not exist, or of which either side
    has no images.
    """
    name = _class_name(train, normal)
    if not 0 < int((test.labels == normal).sum()) < len(test.labels):
        raise InputError(f"class {name} is all or nothing of the test images: they must hold some of it and others")
    own = np.flatnonzero(train.labels == normal)
    kept = _unequal(train.images.subset(own), [test.images])
    return OneVsRest(
        train=train.images.subset(own[kept]),
        test=test.images,
        labels=Labels(test.labels != normal),
        name=f"{name} against the rest, entire test",
        dropped=len(own) - len(kept),
    )


def five_folds(train: Labelled, test: Labelled, normal: int, seed: int) -> OneVsRest:
    """Merge the official sides and cut each class into five folds: 0-2 train, 3 validates, 4 is the balanced test.

    GradCon's Fashion-MNIST protocol, after Pidhorskyi et al., NeurIPS 2018. Outliers are drawn at random from fold 4
    of all other classes together, equally many as normal test images. Copies the chosen images. Raises InputError as
    `balanced`.
    """
    name = _class_name(train, normal)
    labels = np.concatenate([train.labels, test.labels])
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), dtype=np.int64)
    for c in range(len(train.classes)):
        members = rng.permutation(np.flatnonzero(labels == c))
        for i, part in enumerate(np.array_split(members, FOLDS)):
            fold[part] = i
    last = fold == FOLDS - 1
    chosen = _test_index(
        np.flatnonzero(last & (labels == normal)), np.flatnonzero(last & (labels != normal)), name, rng
    )
    own, selection = (np.flatnonzero(part & (labels == normal)) for part in (fold < FOLDS - 2, fold == FOLDS - 2))
    sides = (train.images, test.images)
    test_images, validation, training = (_merge(*sides, index) for index in (chosen, selection, own))
    kept_validation = _unequal(validation, [test_images])
    kept = _unequal(training, [test_images, validation])
    return OneVsRest(
        train=training.subset(kept),
        test=test_images,
        labels=Labels(labels[chosen] != normal),
        name=f"{name} against the rest, five folds",
        dropped=len(training) - len(kept) + len(validation) - len(kept_validation),
        validation=validation.subset(kept_validation),
    )


def _class_name(data: Labelled, normal: int) -> str:
    if not 0 <= normal < len(data.classes):
        raise InputError(f"there is no class {normal}: the classes are 0 to {len(data.classes) - 1}")
    if not (data.labels == normal).any():
        raise InputError(f"no training image is of class {normal} ({data.classes[normal]})")
    return data.classes[normal]


def _test_index(
    inliers: NDArray[np.int64], others: NDArray[np.int64], name: str, rng: np.random.Generator
) -> NDArray[np.int64]:
    if not 0 < len(inliers) <= len(others):
        raise InputError(
            f"class {name} has {len(inliers)} test images and the other classes {len(others)}: a balanced test needs "
            f"at least 1 and at least as many others"
        )
    return np.sort(np.concatenate([inliers, rng.choice(others, len(inliers), replace=False)]))


def _unequal(images: Images, others: Sequence[Images]) -> NDArray[np.int64]:
    """Indices of the images that equal none of the others."""
    digests = np.concatenate([images.digests(), *(other.digests() for other in others)])
    code = np.unique(digests, axis=0, return_inverse=True)[1].reshape(len(digests))
    return np.flatnonzero(~np.isin(code[: len(images)], code[len(images) :]))


def _merge(first: Images, second: Images, index: NDArray[np.int64]) -> Images:
    """Copy of the images at `index`, ascending, which counts through both."""
    a, b = index[index < len(first)], index[index >= len(first)] - len(first)
    pixels = np.concatenate([first.take(a).numpy(), second.take(b).numpy()])
    return Images(pixels, names=[first.name(int(i)) for i in a] + [second.name(int(i)) for i in b])
