"""Calibration scores of other normal images than those that a fit set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.table import ScoreTable
from amiss.data.images import DIGEST, digest
from amiss.data.stream import Chunk


@dataclass(frozen=True, eq=False)
class Renewed:
    """Scores (n,) of distinct images, and what a model file remembers of them."""

    scores: NDArray[np.float64]
    given: int
    """Images that were read, copies with equal pixels included."""
    fingerprint: str
    """SHA-256 over the digests of them all."""

    def record(self, before: int) -> dict[str, object]:
        """As JSON values; before: how many images calibrated until now."""
        return {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "images": len(self.scores),
            "given": self.given,
            "before": before,
            "fingerprint": self.fingerprint,
        }


def collect(scored: Iterable[tuple[ScoreTable, Chunk]], refuse: Callable[[Chunk], None]) -> Renewed:
    """Go through scored chunks; of copies, which would pass for independent images, only the first counts.

    refuse: raises where a chunk holds what must not calibrate.
    """
    scores: list[NDArray[np.float64]] = []
    digests: list[bytes] = []
    for table, chunk in scored:
        refuse(chunk)
        scores.append(table.pred_score)
        digests += [digest(image) for image in chunk.pixels.numpy()]
    every = np.array(digests, dtype=DIGEST)
    first = np.sort(np.unique(every, return_index=True)[1])
    # the formula of data/reading.py's fingerprint, so that both can be compared
    return Renewed(np.concatenate(scores)[first], len(every), hashlib.sha256(np.sort(every).tobytes()).hexdigest())
