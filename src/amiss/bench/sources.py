"""Images for protocols: the official data sets and the bundled one, each side read once per process."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from amiss.contracts import InputError
from amiss.data import sets
from amiss.data.demo import load_demo
from amiss.data.sets import Labelled
from amiss.protocols.task import Protocol, Side, Source

KEPT = 4
"""Sides of data sets that are kept in memory."""

DEMO = "demo"
"""Name of the bundled images: T-shirts, class 0, and other pieces of Fashion-MNIST, class 1; always there."""


@cache
def official(home: Path | None = None) -> Source:
    """Return a source of the official data sets in a data folder, and of the bundled images."""

    @lru_cache(maxsize=KEPT)
    def kept(name: str, split: Side, size: int | None) -> Labelled:
        return _demo(split) if name == DEMO else sets.load(name, split, home, size=size)

    def source(name: str, split: Side, *, size: int | None = None) -> Labelled:
        return kept(name, split, size)

    return source


def _demo(split: Side) -> Labelled:
    demo, classes = load_demo(), ("T-shirt", "other piece")
    if split == "all":
        raise InputError("the bundled images have no split 'all'; train and test are accepted")
    if split == "train":
        return Labelled(demo.train, np.zeros(len(demo.train), dtype=np.int64), classes)
    return Labelled(demo.test, demo.test_labels, classes)


def missing(protocols: Iterable[Protocol], home: Path | None = None) -> tuple[str, ...]:
    """Names of data sets that protocols need and the data folder does not have whole."""
    wanted = {name for protocol in protocols for name, _ in protocol.needs()} - {DEMO}
    return tuple(sorted(name for name in wanted if not _there(name, home)))


def _there(name: str, home: Path | None) -> bool:
    return any(row.name == name and row.state != "absent" for row in sets.describe(home))
