"""Images with the class of each, as data sets are read into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from amiss.data.images import Images

NO_TAGS: Mapping[str, NDArray[np.int64]] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Labelled:
    """Part of a data set in memory: N uint8 images, labels (N,) that index `classes`, and further facts."""

    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    tags: Mapping[str, NDArray[np.int64]] = field(default_factory=lambda: NO_TAGS)
    """Facts besides the class, (N,) each, by name; docs/data-sets.md says which a set has."""
    lines: tuple[str, ...] = ()
    """What a user must know of these images, such as that some of the official ones are not there."""


class Records(NamedTuple):
    """What the files of one split hold: pixels (N, C, H, W) in 0..255, labels (N,), and further facts (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    tags: Mapping[str, NDArray[np.int64]] = NO_TAGS


class Pieces(NamedTuple):
    """One official split before it is joined with others: pixels (N, C, H, W) in 0..255 and what belongs to them."""

    pixels: NDArray[np.uint8]
    names: Sequence[str]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    tags: Mapping[str, NDArray[np.int64]] = NO_TAGS
    lines: tuple[str, ...] = ()


def join(pieces: Sequence[Pieces]) -> Labelled:
    """Put splits of one set after each other; they have the same classes, tags and image shape."""
    pixels = pieces[0].pixels if len(pieces) == 1 else np.concatenate([piece.pixels for piece in pieces])
    return Labelled(
        Images(pixels, names=[name for piece in pieces for name in piece.names]),
        np.concatenate([piece.labels for piece in pieces]),
        pieces[0].classes,
        {name: np.concatenate([piece.tags[name] for piece in pieces]) for name in pieces[0].tags},
        tuple(line for piece in pieces for line in piece.lines),
    )
