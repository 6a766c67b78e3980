"""Some classes are normal, all others anomalies: the protocols of GradCon (Section 5.1) and ARAE (protocol 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.protocols.labels import Labels
from amiss.protocols.parts import class_names
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task, Trial, hold_out, unequal

PAIRS = ((4, 5), (0, 7), (1, 3), (2, 6), (8, 9), (2, 9), (0, 8), (0, 1), (2, 3), (4, 9))
"""Pairs of digits that are normal together in ARAE's Table 6."""

EVEN = (0, 2, 4, 6, 8)
"""Classes of CIFAR-10 over which ARAE's Table 4 averages."""


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
    name = class_names(train, normal)
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
    name = class_names(train, *normal)
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


def _test_index(
    inliers: NDArray[np.int64], others: NDArray[np.int64], name: str, rng: np.random.Generator
) -> NDArray[np.int64]:
    if not 0 < len(inliers) <= len(others):
        raise InputError(
            f"class {name} has {len(inliers)} test images and the other classes {len(others)}: a balanced test needs "
            f"at least 1 and at least as many others"
        )
    return np.sort(np.concatenate([inliers, rng.choice(others, len(inliers), replace=False)]))
