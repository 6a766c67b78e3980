"""Five folds of every class: GradCon on Fashion-MNIST (Section 5.1) and GPND (Pidhorskyi et al., NeurIPS 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.protocols.parts import Part, assemble, class_names, draws, joined, some
from amiss.protocols.task import Labelled, Protocol, Side, Source, Task

FOLDS = 5
RATIOS = (10, 20, 30, 40, 50)
"""Outliers in percent of the test, in both papers."""


@dataclass(frozen=True)
class FiveFolds(Protocol):
    """One class is normal; both official sides merged, three folds train, one validates, one is tested."""

    dataset: str
    normal: int
    outliers: int = 50
    """Percent of the test that are outliers, 1 to 99; the papers take 10, 20, 30, 40 and 50."""
    fill: Literal["drop", "duplicate"] = "drop"
    """How the percentage is met: GradCon drops outliers, GPND repeats the scarcer side."""
    turn: int = 0
    """0 to 4: by how many places the folds are turned; GPND averages over all five."""
    size: int | None = None
    """Side in pixels to which images are resampled."""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        """Both official sides, merged."""
        return ((self.dataset, "all"),)

    def task(self, source: Source, seed: int) -> Task:
        """Make the task; the seed cuts the folds and draws the outliers.

        `selection` is the fourth fold at the percentage of the test, for GPND's threshold (best F1, inliers positive);
        `validation` its inliers. Raises InputError for a class or a number that does not exist, and where a fold has
        no inliers or too few outliers.
        """
        if not 1 <= self.outliers <= 99 or not 0 <= self.turn < FOLDS:
            raise InputError(
                f"{self.outliers} % outliers at turn {self.turn} were asked for: 1 to 99 and 0 to {FOLDS - 1} are "
                f"accepted"
            )
        data = source(self.dataset, "all", size=self.size)
        name = class_names(data, self.normal)
        rng = np.random.default_rng(seed)  # the folds first, then the outliers: splits of stored results depend on it
        fold = (_folds(data, rng) - self.turn) % FOLDS
        normal = data.labels == self.normal
        every = Part(data.images, ~normal)
        test = self._mixed(fold == FOLDS - 1, normal, rng, name)
        selection = self._mixed(fold == FOLDS - 2, normal, draws(seed, "selection"), name)
        return assemble(
            f"{name} against the rest, five folds{self._variant()}",
            data.images.subset(np.flatnonzero(normal & (fold < FOLDS - 2))),
            {"test": every.subset(test)},
            every.subset(selection),
        )

    def _mixed(
        self, fold: NDArray[np.bool_], normal: NDArray[np.bool_], rng: np.random.Generator, name: str
    ) -> NDArray[np.int64]:
        """Indices of one fold's inliers and outliers at the ratio, ascending."""
        inliers, others = np.flatnonzero(fold & normal), np.flatnonzero(fold & ~normal)
        r = self.outliers
        if not len(inliers) or not len(others):
            raise InputError(f"a fold has {len(inliers)} images of {name} and {len(others)} others: both are needed")
        if self.fill == "drop":
            return joined(inliers, some(rng, others, len(inliers) * r // (100 - r), f"outliers to {name}"))
        if 100 * len(others) < r * (len(inliers) + len(others)):
            return joined(inliers, np.resize(rng.permutation(others), len(inliers) * r // (100 - r)))
        return joined(np.resize(rng.permutation(inliers), len(others) * (100 - r) // r), others)

    def _variant(self) -> str:
        ratio = "" if self.outliers == 50 else f", {self.outliers} % outliers"
        return ratio + (", repeated" if self.fill == "duplicate" else "") + (f", turn {self.turn}" if self.turn else "")


def _folds(data: Labelled, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of every image, (N,) from 0 to 4: each class is cut into five of the same size, but for one image."""
    fold = np.empty(len(data.labels), dtype=np.int64)
    for c in range(len(data.classes)):
        members = rng.permutation(np.flatnonzero(data.labels == c))
        for i, part in enumerate(np.array_split(members, FOLDS)):
            fold[part] = i
    return fold
