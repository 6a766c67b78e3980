"""What the protocols share: draws that do not disturb each other, names of classes, and parts without equal images."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.labels import Labels
from amiss.protocols.task import Labelled, Task, Trial, unequal


class Part(NamedTuple):
    """N images and which of them are anomalous, (N,) booleans."""

    images: Images
    anomalous: NDArray[np.bool_]

    def subset(self, index: NDArray[np.int64]) -> Part:
        """Return the images at `index`, in that order."""
        return Part(self.images.subset(index), self.anomalous[index])

    def trial(self) -> Trial:
        """Return the images with fresh labels."""
        return Trial(self.images, Labels(self.anomalous))


def draws(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose: what is drawn for another never shifts it."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def class_names(data: Labelled, *classes: int) -> str:
    """Return the names of classes, joined by "and".

    Raises InputError where none is given, one is given twice or does not exist, or no image is of it.
    """
    if not classes or len(set(classes)) < len(classes):
        raise InputError(f"the normal classes are {classes}: name at least one, each once")
    for c in classes:
        if not 0 <= c < len(data.classes):
            raise InputError(f"there is no class {c}: the classes are 0 to {len(data.classes) - 1}")
        if not (data.labels == c).any():
            raise InputError(f"no image is of class {c} ({data.classes[c]})")
    return " and ".join(data.classes[c] for c in classes)


def checked_share(value: float, what: str) -> float:
    """Return a share between 0 and 1, both excluded; raises InputError for any other number."""
    if not 0 < value < 1:
        raise InputError(f"{what} is {value}: a number between 0 and 1 is accepted")
    return value


def some(rng: np.random.Generator, index: NDArray[np.int64], n: int, what: str) -> NDArray[np.int64]:
    """Draw n of `index` (N,) without replacement, in the order drawn; raises InputError for n below 1 or above N."""
    if not 1 <= n <= len(index):
        raise InputError(f"{n} {what} were to be drawn from {len(index)}: at least 1 and no more than there are")
    return rng.choice(index, n, replace=False)


def portion(share: float, n: int) -> int:
    """Return how many of n images a share is, rounded down; 0.8 of 5 is 4 whatever floating point says."""
    return int(share * n + 1e-9)


def assemble(name: str, train: Images, trials: Mapping[str, Part], selection: Part | None = None) -> Task:
    """Make a task of its parts; of equal images in several, those furthest towards the test stay.

    train: normal images. selection: labelled images to choose a threshold or an epoch by; its normal images become the
    validation. Its anomalies give way to training images, so that what trains does not depend on them. Raises
    InputError where nothing is left to train on.
    """
    tested = [trial.images for trial in trials.values()]
    n_given, chosen, validation = len(train), None, None
    if selection is not None:
        n_given += len(selection.images)
        chosen = selection.subset(unequal(selection.images, tested))
        validation = chosen.images.subset(np.flatnonzero(~chosen.anomalous))
    train = train.subset(unequal(train, [*tested, *([] if validation is None else [validation])]))
    if not len(train):
        raise InputError(f"{name}: every training image has a copy among the images that are tested")
    if chosen is not None:
        kept = ~chosen.anomalous
        kept[unequal(chosen.images, [train])] = True
        chosen = chosen.subset(np.flatnonzero(kept))
    return Task(
        name,
        train,
        {of: trial.trial() for of, trial in trials.items()},
        validation=validation,
        selection=None if chosen is None else chosen.trial(),
        dropped=n_given - len(train) - (0 if chosen is None else len(chosen.images)),
    )


def joined(*indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all indices, ascending."""
    return np.sort(np.concatenate([np.asarray(index, dtype=np.int64) for index in indices]))


def distinct(images: Images, index: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `index` without images that equal one that it names before, in the same order."""
    index = np.asarray(index, dtype=np.int64)
    first = np.unique(images.subset(index).digests(), return_index=True)[1]
    return index[np.sort(first)]
