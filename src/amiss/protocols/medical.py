"""ARAE on Head CT and Brain MRI: most healthy scans train, the others and all anomalous ones are tested."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from amiss.contracts import InputError
from amiss.protocols.parts import Part, assemble, checked_share, class_names, distinct, joined
from amiss.protocols.split import split
from amiss.protocols.task import Protocol, Side, Source, Task


@dataclass(frozen=True)
class Medical(Protocol):
    """A small set without official sides: a share of its normal images trains, everything else is tested.

    Equal images stay on one side, and are tested once: of 253 scans in Brain MRI, 25 are copies of others.
    """

    dataset: str
    share: float = 0.9
    """Share of the normal images that trains."""
    normal: int = 0
    """The normal class: no tumour, no haemorrhage."""
    size: int | None = None
    """Side in pixels to which images are resampled; the paper has 128 for Head CT and 256 for Brain MRI."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Every image."""
        return ((self.dataset, "all"),)

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws which normal images are tested.

        At least as many as the share leaves are drawn, with all their copies; copies are then left out of the test and
        count as dropped. Raises InputError for a class or a share that does not exist, or with nothing anomalous.
        """
        checked_share(self.share, "the share of normal images that train")
        data = source(self.dataset, "all", size=self.size)
        name = class_names(data, self.normal)
        normals, anomalies = np.flatnonzero(data.labels == self.normal), np.flatnonzero(data.labels != self.normal)
        if not len(anomalies):
            raise InputError(f"{self.dataset} has nothing but {name}: a test needs anomalies")
        n_tested = max(1, len(normals) - round(self.share * len(normals)))
        parts = split(data.images.subset(normals), n_calibration=0, n_held_out=n_tested, seed=seed)
        tested = joined(normals[parts.held_out], anomalies)
        once = distinct(data.images, tested)
        task = assemble(
            f"{name} against the rest, {self.share:.0%} of the normal images train",
            data.images.subset(normals[parts.train]),
            {"test": Part(data.images, data.labels != self.normal).subset(once)},
        )
        return replace(task, dropped=task.dropped + len(tested) - len(once))
