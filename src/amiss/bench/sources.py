"""Images for protocols: each side of a data set is read once per process."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from amiss.data import sets
from amiss.protocols.task import Labelled, Side, Source

KEPT = 4
"""Sides of data sets that are kept in memory."""


@cache
def official(home: Path | None = None) -> Source:
    """Return a source of the official data sets in a data folder."""

    @lru_cache(maxsize=KEPT)
    def kept(name: str, split: Side, size: int | None) -> Labelled:
        return sets.load(name, split, home, size=size)

    def source(name: str, split: Side, *, size: int | None = None) -> Labelled:
        return kept(name, split, size)

    return source
