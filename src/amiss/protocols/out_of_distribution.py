"""A whole data set is normal, other data sets are anomalous: AMA, Table 1, and HistoryAD, Figures 1 and 5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.alike import alike, square_side
from amiss.protocols.parts import Part, assemble, checked_share, draws, portion, some
from amiss.protocols.task import Protocol, Side, Source, Task, merged


@dataclass(frozen=True)
class OutOfDistribution(Protocol):
    """Learn a data set's official training side; tell its test images from those of other sets, one trial for each.

    Images of the other sets are brought to the size and colour of the normal ones.
    """

    normal: str
    others: tuple[str, ...]
    share: float | None = 0.2
    """Anomalies in a trial as a share of its normal images: 0.2 in AMA's text, 0.1 in its code; None takes all."""
    size: int | None = None
    """Side in pixels to which all images are resampled; None keeps the normal set's."""
    other_side: Side = "test"
    """Side of the other sets that is tested; "all" for sets without sides."""
    selection_anomalies: int = 0
    """Anomalies in a labelled selection, about 50 in AMA, which chose its epoch by them; 0 for no selection."""
    selection_normals: float = 0.05
    """Share of the training images that stand in the selection, and validate; without a meaning if there is none."""
    selection_from: Literal["train", "rest"] = "train"
    """Whether the selection's anomalies are of the other set's training side, or of those that are not tested."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides of the normal set, and what is tested and selected with of the others."""
        return ((self.normal, "train"), (self.normal, "test"), *self._others())

    def _others(self) -> Iterator[tuple[str, Side]]:
        for other in self.others:
            yield other, self.other_side
            if self.selection_anomalies and self.selection_from == "train" and self.other_side != "train":
                yield other, "train"

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed draws the anomalies, for each set by itself, and the selection.

        Raises InputError for no other set, one named twice, a share or a number that the data do not have, and for a
        selection beside several other sets: its anomalies are of the kind that is tested.
        """
        if not self.others or len({self.normal, *self.others}) < 1 + len(self.others):
            raise InputError(f"{self.normal} is normal and {self.others} are not: name other sets, each once")
        if self.selection_anomalies and len(self.others) > 1:
            raise InputError(f"a selection needs one other set, {len(self.others)} were given: make a task of each")
        train, test = (source(self.normal, side, size=self.size).images for side in ("train", "test"))
        side = square_side(train.spec, self.normal)
        trials: dict[str, Part] = {}
        selection, learnt = None, np.arange(len(train))
        for other in self.others:
            images = source(other, self.other_side, size=side).images
            n = len(images) if self.share is None else portion(self.share, len(test))
            tested = np.sort(some(draws(seed, f"tested of {other}"), np.arange(len(images)), n, f"images of {other}"))
            trials[other] = _beside(test, images.subset(tested))
            if self.selection_anomalies:
                rest = images.subset(np.setdiff1d(np.arange(len(images)), tested))
                images = rest if self.selection_from == "rest" else source(other, "train", size=side).images
                selected = self._selected(len(train), seed)
                selection = _beside(train.subset(selected), self._anomalies(images, seed))
                learnt = np.setdiff1d(learnt, selected)
        name = f"{self.normal} against {', '.join(self.others)}"
        return assemble(name, train.subset(learnt), trials, selection)

    def _selected(self, n: int, seed: int) -> NDArray[np.int64]:
        share = checked_share(self.selection_normals, "the share of training images in the selection")
        return np.sort(some(draws(seed, "selected normal images"), np.arange(n), portion(share, n), "training images"))

    def _anomalies(self, images: Images, seed: int) -> Images:
        rng, n = draws(seed, "selected anomalies"), self.selection_anomalies
        return images.subset(np.sort(some(rng, np.arange(len(images)), n, "anomalies of the selection")))


def _beside(normals: Images, anomalies: Images) -> Part:
    """Normal images, then anomalies in their colour; copies both."""
    n = len(normals) + len(anomalies)
    return Part(merged(normals, alike(anomalies, normals.layout), np.arange(n)), np.arange(n) >= len(normals))
