"""One class is anomalous, all others are normal: HistoryAD, Figure 7, after EGBAD and Fence GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from amiss.contracts import InputError
from amiss.protocols.parts import Part, assemble, class_names, draws, joined, portion
from amiss.protocols.task import Protocol, Side, Source, Task


@dataclass(frozen=True)
class OneAnomalous(Protocol):
    """One class is anomalous. HistoryAD does not state its split; the styles are those of the papers it compares with.

    egbad: both sides merged, 80 % of the normal images train; the others and every anomaly are tested. fence_gan: 80 %
    train, 15 % and three quarters of the anomalies are tested, 5 % and the last quarter are a labelled selection.
    official: normal images of the official training side train, all official test images are tested.
    """

    dataset: str
    anomalous: int
    style: Literal["egbad", "fence_gan", "official"] = "egbad"
    size: int | None = None
    """Side in pixels to which images are resampled."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Every image, or both official sides."""
        if self.style == "official":
            return (self.dataset, "train"), (self.dataset, "test")
        return ((self.dataset, "all"),)

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws who trains, and nothing in the official style.

        Raises InputError for a class or a style that does not exist, and where there is nothing normal or too little.
        """
        if self.style == "official":
            return self._official(source)
        if self.style not in ("egbad", "fence_gan"):
            raise InputError(f"there is no style {self.style!r}: egbad, fence_gan and official are accepted")
        data = source(self.dataset, "all", size=self.size)
        name = class_names(data, self.anomalous)
        anomalous = data.labels == self.anomalous
        normals = draws(seed, "normal images").permutation(np.flatnonzero(~anomalous))
        anomalies = draws(seed, "anomalies").permutation(np.flatnonzero(anomalous))
        n = len(normals)
        train, tested, validation = np.split(normals, [portion(0.8, n), portion(0.95, n)])
        every, selection = Part(data.images, anomalous), None
        if self.style == "fence_gan":
            tested_anomalies, selected = np.split(anomalies, [3 * len(anomalies) // 4])
            selection = every.subset(joined(validation, selected))
        else:
            tested, tested_anomalies = joined(tested, validation), anomalies
        if not len(train) or not len(tested) or not len(tested_anomalies):
            raise InputError(f"{n} normal images and {len(anomalies)} of {name} are too few for this split")
        return assemble(
            f"{name} among the others, split as {self.style}",
            data.images.subset(np.sort(train)),
            {"test": every.subset(joined(tested, tested_anomalies))},
            selection,
        )

    def _official(self, source: Source) -> Task:
        train, test = (source(self.dataset, side, size=self.size) for side in ("train", "test"))
        name = class_names(test, self.anomalous)
        anomalous = test.labels == self.anomalous
        if anomalous.all():
            raise InputError(f"every test image is of class {name}: some must be of others")
        return assemble(
            f"{name} among the others, official split",
            train.images.subset(np.flatnonzero(train.labels != self.anomalous)),
            {"test": Part(test.images, anomalous)},
        )
