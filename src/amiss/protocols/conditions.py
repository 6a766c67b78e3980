"""The same images under a condition are anomalous: GradCon on made corruptions, HistoryAD on noise (Figure 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.data.resample import to_depth
from amiss.protocols.parts import Part, assemble, class_names, draws
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task, hold_out
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt, gaussian_noise
from amiss.transforms.unit import to_unit

Change = Callable[[Tensor, int], Tensor]
"""From images (B, C, H, W) in [0, 1] and the number of the first to changed ones of the same shape and range."""

CHUNK = 256
"""Images that are changed at once."""


@dataclass(frozen=True)
class Conditions(Protocol):
    """GradCon's abnormal conditions on any data set: test images as they are, and the same under one made condition.

    One trial for each condition and level. The changed images are made with the task and held in memory, (1 + number
    of trials) times `limit` images.
    """

    dataset: str
    normal: tuple[int, ...] | None = None
    """Classes that train and are tested; None for all. The class does not matter otherwise."""
    conditions: tuple[str, ...] = CONDITIONS
    levels: tuple[int, ...] = LEVELS
    """1 is the mildest."""
    size: int | None = None
    """Side in pixels to which images are resampled before they are changed."""
    limit: int = 1000
    """Most test images, drawn by the seed."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (self.dataset, "train"), (self.dataset, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the test images, what is random in a condition, and the tenth that validates.

        Raises InputError for classes, conditions or levels that do not exist, and for a condition that changes nothing,
        as decolorization does with grey images.
        """
        unknown = set(self.conditions) - set(CONDITIONS)
        if unknown or not self.conditions:
            raise InputError(f"{self.conditions} are no conditions: some of {', '.join(CONDITIONS)} are accepted")
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise InputError(f"the levels are {self.levels}: some of 1 to 5 are accepted")

        def change(condition: str, level: int) -> Change:
            return lambda x, first: corrupt(x, condition, level, seed=seed, first=first)

        changes = {f"{c} {level}": change(c, level) for c in self.conditions for level in self.levels}
        train, test = (source(self.dataset, side, size=self.size) for side in ("train", "test"))
        name, learnt, tested = _chosen(train, test, self.normal, self.limit, seed)
        task = assemble(f"{name} under conditions", learnt, changed_trials(tested, changes))
        return hold_out(task, 0.1, seed)


@dataclass(frozen=True)
class NoiseLevels(Protocol):
    """HistoryAD, Figure 6: learn a whole data set; its test images with Gaussian noise are anomalous.

    One trial for each level. The noisy images are held in memory, (1 + number of levels) times `test_limit` images.
    """

    dataset: str = "mnist"
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    """Standard deviations of the noise, of pixels from 0 to 1; the paper names none in its text."""
    test_limit: int = 2000
    """Most test images, drawn by the seed."""
    size: int | None = None
    """Side in pixels to which images are resampled before noise is added."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (self.dataset, "train"), (self.dataset, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the test images and the noise. Raises InputError for levels of 0 or below."""
        if not self.sigmas or min(self.sigmas) <= 0:
            raise InputError(f"the noise levels are {self.sigmas}: some numbers above 0 are accepted")

        def change(sigma: float) -> Change:
            return lambda x, first: gaussian_noise(x, sigma, seed=seed, first=first)

        train, test = (source(self.dataset, side, size=self.size) for side in ("train", "test"))
        name, learnt, tested = _chosen(train, test, None, self.test_limit, seed)
        changes = {f"sigma {sigma:g}": change(sigma) for sigma in self.sigmas}
        return assemble(f"{name} under noise", learnt, changed_trials(tested, changes))


def _chosen(
    train: Labelled, test: Labelled, normal: tuple[int, ...] | None, limit: int, seed: int
) -> tuple[str, Images, Images]:
    """Name of the classes, their training images, and at most `limit` of their test images."""
    if limit < 1:
        raise InputError(f"{limit} test images were asked for: at least 1")
    name = "all classes" if normal is None else class_names(train, *normal)
    own, tested = (
        np.arange(len(data.labels)) if normal is None else np.flatnonzero(np.isin(data.labels, normal))
        for data in (train, test)
    )
    if not len(tested):
        raise InputError(f"no test image is of {name}")
    drawn = draws(seed, "test images").permutation(tested)[:limit]
    return name, train.images.subset(own), test.images.subset(np.sort(drawn))


def changed_trials(images: Images, changes: Mapping[str, Change]) -> dict[str, Part]:
    """For each change, all images and then the same changed; one array holds them all.

    Raises InputError for a change that leaves every image as it is.
    """
    n = len(images)
    pixels = np.empty(((1 + len(changes)) * n, *images.take(np.arange(0)).shape[1:]), images.layout.depth)
    names = [images.name(i) for i in range(n)]
    pixels[:n] = images.take(np.arange(n)).numpy()
    for k, (name, change) in enumerate(changes.items(), 1):
        for start in range(0, n, CHUNK):
            index = np.arange(start, min(start + CHUNK, n))
            pixels[k * n + index] = _changed(images, index, change)
        if np.array_equal(pixels[k * n : (k + 1) * n], pixels[:n]):
            raise InputError(f"{name} leaves every one of the {n} test images as it is: leave it out")
        names += [f"{images.name(i)}, {name}" for i in range(n)]
    every = Images(pixels, names=names)
    every.digests()  # once for all trials, which are views
    both = np.arange(2 * n)
    return {
        name: Part(every.subset(np.where(both < n, both, both + (k - 1) * n)), both >= n)
        for k, name in enumerate(changes, 1)
    }


def _changed(images: Images, index: NDArray[np.int64], change: Change) -> NDArray[np.generic]:
    """Change images (B, C, H, W), in the depth in which they are kept."""
    x = change(to_unit(images.take(index)), int(index[0]))
    return to_depth(x.numpy(), images.layout.depth)
