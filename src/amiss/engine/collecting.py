"""What the classical methods share in training: one pass that keeps images as rows, and a fit at its end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from torch import Tensor

from amiss.contracts import ImageSpec, Learner, Losses, Phase, Scorer
from amiss.nets.pixels import PixelMemory, row_length, rows

Fitted = TypeVar("Fitted", bound=Scorer)


class CollectingLearner(Learner, Generic[Fitted]):
    """Keeps at most `reference` normal images as rows of raw pixels; `fit` turns them into the scorer's buffers."""

    def __init__(self, spec: ImageSpec, reference: int, side: int, fitted: Fitted) -> None:
        super().__init__()
        self.side = side
        self.memory = PixelMemory(reference, row_length(spec, side))
        self.fitted = fitted

    def phases(self) -> Iterator[Phase]:
        """One pass that collects, and the fit at its end."""
        yield Phase("collect", self.step, after_epoch=self.finish)

    def step(self, x: Tensor) -> Losses:
        """Keep images (B, C, H, W) while there is room; there is no loss."""
        self.memory.add(rows(x, self.side))
        return {}

    def finish(self) -> None:
        """Fit to what was kept, and forget it."""
        self.fit(self.memory.take())

    @abstractmethod
    def fit(self, images: Tensor) -> None:
        """Set the scorer's buffers from rows (N, D); raises WorkError for images that are too few."""

    def scorer(self) -> Scorer:
        """The scorer that was fitted."""
        return self.fitted
