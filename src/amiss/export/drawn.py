"""Images that are drawn and not photographed, the same on every machine: their scores can be told without the images.

A file that carries real images gives them to whoever has the file. These are bytes of SHAKE-256 as squares of grey,
from one square to noise, so that a network meets smooth and rough images, and nobody's.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from amiss.data.images import Depth
from amiss.data.resample import to_depth
from amiss.plain import ImageSpec

SQUARES = (1, 1, 2, 3, 4, 7, 14, 28)
"""Squares along each side of the images, or fewer where an image has fewer pixels."""


def draw(spec: ImageSpec, depth: Depth) -> NDArray[np.generic]:
    """Draw the images (8, C, H, W) of a shape and depth."""
    return np.stack([_draw(i, squares, spec, depth) for i, squares in enumerate(SQUARES)])


def _draw(number: int, squares: int, spec: ImageSpec, depth: Depth) -> NDArray[np.generic]:
    down, across = min(squares, spec.height), min(squares, spec.width)
    stream = hashlib.shake_256(f"amiss {number}".encode()).digest(spec.channels * down * across)
    coarse = np.frombuffer(stream, np.uint8).reshape(spec.channels, down, across)
    rows, columns = np.arange(spec.height) * down // spec.height, np.arange(spec.width) * across // spec.width
    return to_depth(coarse[:, rows][:, :, columns], depth)
