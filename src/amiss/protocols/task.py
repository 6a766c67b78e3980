"""What a protocol is, and what it hands out: plain data, so that nothing of it can look at a label later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.labels import Labels
from amiss.protocols.split import split

Side = Literal["train", "test", "all"]
"""Which images of a data set: an official side, or every image there is."""


class Labelled(Interface):
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

    @property
    def tags(self) -> Mapping[str, NDArray[np.int64]]:
        """Facts besides the class, (N,) each, by name."""


class Source(Interface):
    """Where a protocol gets images from."""

    def __call__(self, name: str, split: Side, *, size: int | None = None) -> Labelled:
        """One side of a data set, resampled to size x size pixels where a size is given."""


class Trial(NamedTuple):
    """Images that are scored, and their labels."""

    images: Images
    labels: Labels


@dataclass(frozen=True, eq=False)
class Task:
    """Normal images to learn from and what the scores are tried on; no two parts hold an equal image.

    Raises InputError where there is no trial.
    """

    name: str
    """The task in words."""
    train: Images
    trials: Mapping[str, Trial]
    """By name; the first is the one that the protocol is known for."""
    validation: Images | None = None
    """Normal images for selection, where the protocol names them."""
    selection: Trial | None = None
    """Labelled images that are not tested, for protocols that choose a threshold or an epoch by anomalies."""
    dropped: int = 0
    """Images left out because an equal one stands further towards the test."""

    def __post_init__(self) -> None:
        if not self.trials:
            raise InputError(f"the task {self.name!r} tries its scores on nothing: give at least one trial")

    @property
    def test(self) -> Images:
        """Images of the first trial."""
        return next(iter(self.trials.values())).images

    @property
    def labels(self) -> Labels:
        """Labels of the first trial."""
        return next(iter(self.trials.values())).labels


class Protocol(ABC):
    """A frozen dataclass of everything that decides who is normal and who stands where, but for the seed."""

    @abstractmethod
    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Data sets and the sides of them that `task` reads."""

    @abstractmethod
    def task(self, source: Source, seed: int) -> Task:
        """Make the task; raises InputError for classes, numbers or shares that the data do not have."""


def hold_out(task: Task, share: float, seed: int) -> Task:
    """Move a share of the training images, drawn by the seed, to `validation`; equal images stay together.

    Raises InputError where fewer than 2 images would be left to train.
    """
    n = max(1, round(share * len(task.train)))
    parts = split(task.train, n_calibration=0, n_held_out=n, seed=seed)
    return replace(task, train=task.train.subset(parts.train), validation=task.train.subset(parts.held_out))


def unequal(images: Images, others: Sequence[Images]) -> NDArray[np.int64]:
    """Indices of the images that equal none of the others."""
    digests = np.concatenate([images.digests(), *(other.digests() for other in others)])
    code = np.unique(digests, axis=0, return_inverse=True)[1].reshape(len(digests))
    return np.flatnonzero(~np.isin(code[: len(images)], code[len(images) :]))


def merged(first: Images, second: Images, index: NDArray[np.int64]) -> Images:
    """Copy of the images at `index`, ascending, which counts through both."""
    a, b = index[index < len(first)], index[index >= len(first)] - len(first)
    pixels = np.concatenate([first.take(a).numpy(), second.take(b).numpy()])
    return Images(pixels, names=[first.name(int(i)) for i in a] + [second.name(int(i)) for i in b])
