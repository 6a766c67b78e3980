"""What a page keeps of the images that pass by: all scores, the highest-scoring images small, and a few whole."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from amiss.data.images import Layout
from amiss.report.page import Picture
from amiss.report.pictures import SMALL, Window, picture

MOST = 2000
"""A page shows at most so many images: those that score highest."""
EXPLAINED, AROUND = 60, 12
"""So many images are explained: the highest scores, and those nearest to the threshold."""
WHOLE_BYTES = 256 << 20
"""Fewer are explained where images are tiled and those would take more memory than this."""


@dataclass(frozen=True, eq=False)
class Kept:
    """An image that the page shows."""

    at: int
    """Its position among all images."""
    name: str
    score: float
    where: str
    truth: str | None
    small: Picture
    suspicion: float | None = None
    """What images are ranked by, where that is not the score."""

    @property
    def rank(self) -> float:
        """Images of the highest rank come first."""
        return self.score if self.suspicion is None else self.suspicion


@dataclass(frozen=True, eq=False)
class Whole:
    """An image that the page explains, in the model's layout, (C, H, W)."""

    at: int
    pixels: NDArray[np.generic]


@dataclass(eq=False)
class _Top:
    """The so many entries of highest rank; of equal ranks, those that came first."""

    most: int
    heap: list[tuple[float, int, Kept | Whole]] = field(default_factory=list)

    def wants(self, rank: float) -> bool:
        return len(self.heap) < self.most or (self.most > 0 and rank > self.heap[0][0])

    def add(self, rank: float, entry: Kept | Whole) -> None:
        change = heapq.heappush if len(self.heap) < self.most else heapq.heappushpop
        change(self.heap, (rank, -entry.at, entry))


class Collector:
    """Takes images chunk by chunk, in bounded memory save for 8 bytes of score each."""

    def __init__(self, layout: Layout, threshold: float | None, *, most: int = MOST) -> None:
        self.layout, self.threshold = layout, threshold
        self._scores: list[NDArray[np.float64]] = []
        self._truths: dict[str, list[NDArray[np.float64]]] = {}
        self._sets: dict[str, list[NDArray[np.float64]]] = {}
        self._window: Window | None = None
        self._seen = 0
        self._shown = _Top(most)
        self._highest, self._around = _Top(EXPLAINED), _Top(0 if threshold is None else AROUND)

    def add(
        self,
        names: Sequence[str],
        scores: NDArray[np.float64],
        pixels: NDArray[np.generic],
        *,
        where: str = "new",
        truth: str | None = None,
        suspicion: NDArray[np.float64] | None = None,
    ) -> dict[int, int]:
        """Take images (B, C, H, W) in the model's layout with their scores (B,), ranked by suspicion (B,) if given.

        Returns rows of those that may be shown, by their position among all images.
        """
        if self._window is None:
            self._window = Window.of(pixels, self.layout)
        if self.layout.tiling is not None and len(pixels):
            self._hold(pixels[0].nbytes)
        self._scores.append(scores)
        self._sets.setdefault(where, []).append(scores)
        if truth is not None:
            self._truths.setdefault(truth, []).append(scores)
        ranks = scores if suspicion is None else suspicion
        wanted = [i for i, rank in enumerate(ranks) if self._shown.wants(float(rank))]
        for i, small in zip(wanted, self._pictures(pixels[i] for i in wanted), strict=True):
            at, rank, score = self._seen + i, float(ranks[i]), float(scores[i])
            if self._shown.wants(rank):
                found = None if suspicion is None else rank
                self._shown.add(rank, Kept(at, names[i], score, where, truth, small, found))
            self._keep_whole(at, rank, score, pixels[i])
        start = self._seen
        self._seen += len(scores)
        return {start + i: i for i in wanted}

    def _hold(self, image_bytes: int) -> None:
        """Keep fewer whole images where they are large; how many is settled by the largest that came."""
        share = min(1.0, WHOLE_BYTES / (image_bytes * (EXPLAINED + AROUND)))
        for top, most in ((self._highest, EXPLAINED), (self._around, AROUND)):
            top.most = min(top.most, max(1, int(share * most)))
            while len(top.heap) > top.most:
                heapq.heappop(top.heap)

    def _keep_whole(self, at: int, rank: float, score: float, pixels: NDArray[np.generic]) -> None:
        far = 0.0 if self.threshold is None else -abs(score - self.threshold)
        for top, by in ((self._highest, rank), (self._around, far)):
            if top.wants(by):
                top.add(by, Whole(at, np.array(pixels)))

    def _pictures(self, images: Iterable[NDArray[np.generic]]) -> list[Picture]:
        window = self.window
        with ThreadPoolExecutor() as pool:  # encoding lets other threads run
            return list(pool.map(lambda image: picture(window.apply(image), SMALL), images))

    @property
    def window(self) -> Window:
        """Which pixel values are shown as black and as white."""
        return self._window or Window.of(np.empty(0), self.layout)

    @property
    def scores(self) -> NDArray[np.float64]:
        """Scores (N,) of all images."""
        return np.concatenate(self._scores) if self._scores else np.empty(0)

    @property
    def truths(self) -> dict[str, NDArray[np.float64]]:
        """Scores of all images that are known to be something, by what they are."""
        return {truth: np.concatenate(parts) for truth, parts in self._truths.items()}

    @property
    def sets(self) -> dict[str, NDArray[np.float64]]:
        """Scores of all images by their set."""
        return {name: np.concatenate(parts) for name, parts in self._sets.items()}

    def kept(self) -> list[Kept]:
        """Images to show, the highest rank first."""
        entries = (entry for _, _, entry in self._shown.heap if isinstance(entry, Kept))
        return sorted(entries, key=lambda kept: (-kept.rank, kept.at))

    def whole(self) -> list[Whole]:
        """Images to explain, each once, in the order in which they came."""
        entries = [entry for top in (self._highest, self._around) for _, _, entry in top.heap]
        return sorted({entry.at: entry for entry in entries if isinstance(entry, Whole)}.values(), key=lambda e: e.at)
