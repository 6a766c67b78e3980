"""Some classes are normal, all others anomalies: the protocols of GradCon (Section 5.1), GPND and ARAE (protocol 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.protocols.labels import Labels
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task, Trial, hold_out, merged, unequal

FOLDS = 5


@dataclass(frozen=True)
class Balanced(Protocol):
    """GradCon on MNIST and CIFAR-10: a class's official training images, its test images and as many of others."""

    dataset: str
    normal: int
    size: int | None = None
    """Side in pixels to which images are resampled; GradCon brings CIFAR-10 to 28."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (self.dataset, "train"), (self.dataset, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the outliers, and the tenth of the training images that validates."""
        return hold_out(balanced(*_sides(source, self.dataset, self.size), self.normal, seed), 0.1, seed)


@dataclass(frozen=True)
class Entire(Protocol):
    """ARAE's protocol 2 and AMA's one-class experiment: one or several normal classes, every official test image."""

    dataset: str
    normal: tuple[int, ...]
    size: int | None = None
    """Side in pixels to which images are resampled."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (self.dataset, "train"), (self.dataset, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task, which is the same for every seed."""
        return entire(*_sides(source, self.dataset, self.size), *self.normal)


def _sides(source: Source, dataset: str, size: int | None) -> tuple[Labelled, Labelled]:
    return source(dataset, "train", size=size), source(dataset, "test", size=size)


def balanced(train: Labelled, test: Labelled, normal: int, seed: int) -> Task:
    """Train on a class's official training images; test on its official test images and equally many of other classes.

    The outliers are drawn at random from all other classes together, without replacement. Raises InputError for a class
    that does not exist, or of which either side has no images, or with fewer outliers than normal test images.
    """
    name = _class_name(train, normal)
    inliers, others = np.flatnonzero(test.labels == normal), np.flatnonzero(test.labels != normal)
    own = np.flatnonzero(train.labels == normal)
    chosen = _test_index(inliers, others, name, np.random.default_rng(seed))
    test_images = test.images.subset(chosen)
    kept = unequal(train.images.subset(own), [test_images])
    return Task(
        train=train.images.subset(own[kept]),
        trials={"test": Trial(test_images, Labels(test.labels[chosen] != normal))},
        name=f"{name} against the rest, balanced test",
        dropped=len(own) - len(kept),
    )


def entire(train: Labelled, test: Labelled, *normal: int) -> Task:
    """Train on the official training images of one or several classes; test on all official test images.

    ARAE's protocol 2 (Salehi et al. 2020). Raises InputError for no class, a class that does not exist, or classes of
    which either side has no images.
    """
    if not normal:
        raise InputError("no class was named as normal: name at least one")
    name = " and ".join(_class_name(train, c) for c in normal)
    inlier = np.isin(test.labels, normal)
    if not 0 < int(inlier.sum()) < len(test.labels):
        raise InputError(f"class {name} is all or nothing of the test images: they must hold some of it and others")
    own = np.flatnonzero(np.isin(train.labels, normal))
    kept = unequal(train.images.subset(own), [test.images])
    return Task(
        train=train.images.subset(own[kept]),
        trials={"test": Trial(test.images, Labels(~inlier))},
        name=f"{name} against the rest, entire test",
        dropped=len(own) - len(kept),
    )


def five_folds(train: Labelled, test: Labelled, normal: int, seed: int) -> Task:
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
    test_images, validation, training = (merged(*sides, index) for index in (chosen, selection, own))
    kept_validation = unequal(validation, [test_images])
    kept = unequal(training, [test_images, validation])
    return Task(
        train=training.subset(kept),
        trials={"test": Trial(test_images, Labels(labels[chosen] != normal))},
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
