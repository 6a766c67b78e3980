"""ARAE's protocol 1: the official sides merged, and a share of normal images in the test (Salehi et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amiss.contracts import InputError
from amiss.protocols.parts import Part, assemble, checked_share, class_names, draws, joined, portion, some
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Normal images in the test on MNIST, Figure 4."""

COIL = ((1, 0.5), (4, 0.75), (7, 0.85))
"""Number of normal classes and the share of normal images in the test on COIL-100, Table 3."""


@dataclass(frozen=True)
class MergedShare(Protocol):
    """Some classes are normal; their images are shuffled and cut into training, validation and test.

    With the shares left as they are, the authors' code on MNIST and Fashion-MNIST; `train_share=0.8` and
    `validation_share=0.0` are the paper's text, and COIL in both.
    """

    dataset: str
    normal: tuple[int, ...] | None
    """The normal classes; None draws `n_classes` of them by the seed, as on COIL."""
    n_classes: int = 1
    """How many classes are drawn; without a meaning where they are named."""
    tau: float = 0.5
    """Normal images as a share of the test, and of the selection."""
    train_share: float = 0.6
    """Share of the normal images that train."""
    validation_share: float = 0.2
    """Share of the normal images in the labelled selection; 0 for none. The others are tested."""
    size: int | None = None
    """Side in pixels to which images are resampled; 32 for COIL."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Every image."""
        return ((self.dataset, "all"),)

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the order, the anomalies, and the classes where none is named.

        Anomalies of the selection and of the test are different images. Raises InputError for classes or shares that
        do not exist, and where there are too few anomalies.
        """
        checked_share(self.tau, "the share of normal images in the test")
        checked_share(self.train_share, "the share of normal images that train")
        tested_share = 1 - self.train_share - self.validation_share
        if self.validation_share < 0 or tested_share < 1e-9:
            raise InputError(
                f"{self.train_share} of the normal images train and {self.validation_share} validate: neither may be "
                f"negative, and some must be left to test"
            )
        data = source(self.dataset, "all", size=self.size)
        classes = self._classes(data, seed)
        name = class_names(data, *classes)
        inlier = np.isin(data.labels, classes)
        normals = draws(seed, "normal images").permutation(np.flatnonzero(inlier))
        first, last = (
            portion(share, len(normals)) for share in (self.train_share, self.train_share + self.validation_share)
        )
        train, validation, tested = np.split(normals, [first, last])
        n_selected = self._matched(len(validation)) if len(validation) else 0
        n_tested = self._matched(len(tested))
        anomalies = some(
            draws(seed, "anomalies"), np.flatnonzero(~inlier), n_tested + n_selected, f"anomalies to {name}"
        )
        every = Part(data.images, ~inlier)
        return assemble(
            f"{name} against the rest, {self.tau:.0%} of the test normal",
            data.images.subset(np.sort(train)),
            {"test": every.subset(joined(tested, anomalies[:n_tested]))},
            every.subset(joined(validation, anomalies[n_tested:])) if n_selected else None,
        )

    def _matched(self, normals: int) -> int:
        """Anomalies beside so many normal images, rounded down, and at least 1."""
        return max(1, portion((1 - self.tau) / self.tau, normals))

    def _classes(self, data: Labelled, seed: int) -> tuple[int, ...]:
        if self.normal is not None:
            return self.normal
        every = np.arange(len(data.classes))
        if not 1 <= self.n_classes < len(every):
            raise InputError(f"{self.n_classes} normal classes were asked for: 1 to {len(every) - 1} are accepted")
        return tuple(int(c) for c in np.sort(draws(seed, "normal classes").permutation(every)[: self.n_classes]))
