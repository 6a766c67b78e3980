"""AMA's experiment with one normal class, Table 2, with the labelled images by which it chooses its epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amiss.contracts import InputError
from amiss.protocols.parts import Part, assemble, checked_share, class_names, draws, joined, portion, some
from amiss.protocols.task import Protocol, Side, Source, Task


@dataclass(frozen=True)
class AmaOneClass(Protocol):
    """One class is normal, every official test image is tested; a labelled selection of training images if wanted."""

    dataset: str
    normal: int
    selection_anomalies: int = 0
    """Anomalies in the selection, of the official training side: about 50 in the paper, 25 on CIFAR-10 in its code.

    0, the default, is no selection, as in `Entire`.
    """
    selection_normals: float = 0.05
    """Share of the normal training images in the selection, which validate; without a meaning if there is none."""
    size: int | None = None
    """Side in pixels to which images are resampled."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides."""
        return (self.dataset, "train"), (self.dataset, "test")

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the selection, and nothing without one.

        Raises InputError for a class that does not exist or is all or nothing of the test, and for a number or a share
        that the training side does not have.
        """
        train, test = (source(self.dataset, side, size=self.size) for side in ("train", "test"))
        name = class_names(train, self.normal)
        anomalous = test.labels != self.normal
        if not 0 < int(anomalous.sum()) < len(anomalous):
            raise InputError(f"class {name} is all or nothing of the test images: they must hold some of it and others")
        learnt, selection = np.flatnonzero(train.labels == self.normal), None
        if self.selection_anomalies:
            share = checked_share(self.selection_normals, "the share of training images in the selection")
            rng = draws(seed, "selected normal images")
            validation = some(rng, learnt, portion(share, len(learnt)), f"training images of {name}")
            others = np.flatnonzero(train.labels != self.normal)
            rng = draws(seed, "selected anomalies")
            selected = some(rng, others, self.selection_anomalies, "anomalies of the selection")
            selection = Part(train.images, train.labels != self.normal).subset(joined(validation, selected))
            learnt = np.setdiff1d(learnt, validation)
        return assemble(
            f"{name} against the rest, entire test" + (", labelled selection" if selection else ""),
            train.images.subset(learnt),
            {"test": Part(test.images, anomalous)},
            selection,
        )
