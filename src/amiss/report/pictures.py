"""Images and maps as small pictures inside the page; each picture keeps to a limit in bytes, whatever it shows."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from amiss.data.images import TOP, Layout
from amiss.explain.showing import INFERNO
from amiss.report.page import Picture

EXACT = 64
"""Pictures up to this side are kept without loss where their limit allows it."""


@dataclass(frozen=True)
class Limit:
    """What a picture may take: its longest side in pixels, its quality at first, and its size in bytes."""

    side: int
    quality: int
    size: int


SMALL = Limit(128, 70, 1900)
LARGE = Limit(256, 80, 6000)
COUNTERPART = Limit(192, 70, 3000)
MAP = Limit(128, 75, 2500)
NEAREST = Limit(64, 70, 900)
SMALLEST = 24
"""No picture is made smaller than this many pixels a side to keep to its limit."""


@dataclass(frozen=True)
class Window:
    """Which pixel values are shown as black and as white."""

    low: float
    high: float

    @classmethod
    def of(cls, pixels: NDArray[np.generic], layout: Layout) -> Window:
        """The whole range of 8-bit images; of deeper ones, whose range is seldom used up, nearly all of that used."""
        if layout.depth == "uint8" or not pixels.size:
            return cls(0, TOP[layout.depth])
        low, high = np.quantile(pixels.astype(np.float64), [0.001, 0.999])
        return cls(float(low), float(high)) if high > low else cls(0, TOP[layout.depth])

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Bring an image (C, H, W) to 0..255."""
        if image.dtype == np.uint8:
            return image.astype(np.uint8, copy=False)
        unit = (image.astype(np.float64) - self.low) / (self.high - self.low)
        return (unit.clip(0, 1) * 255).round().astype(np.uint8)


def picture(image: NDArray[np.uint8], limit: Limit) -> Picture:
    """A picture of an image (C, H, W) with one or three channels; of other numbers the first is shown."""
    return _encode(Image.fromarray(image.transpose(1, 2, 0) if len(image) == 3 else image[0]), limit)


def heat(values: NDArray[np.floating], high: float) -> Picture:
    """A picture of a map (H, W): 0 and below black, `high` and above brightest."""
    place = np.clip(values / high if high > 0 else np.zeros_like(values), 0, 1) * (len(INFERNO) - 1)
    anchors = np.arange(len(INFERNO))
    colours = np.stack([np.interp(place, anchors, channel) for channel in zip(*INFERNO, strict=True)], axis=-1)
    return _encode(Image.fromarray(colours.round().astype(np.uint8)), MAP)


def _encode(image: Image.Image, limit: Limit) -> Picture:
    """WebP, without loss if the picture is small enough, else ever smaller until it keeps to the limit."""
    image = _shrink(image, limit.side)
    if max(image.size) <= EXACT:
        exact = _webp(image, lossless=True, quality=50)
        if len(exact) <= limit.size:
            return _as_uri(exact, image)
    side, quality = max(image.size), limit.quality + (15 if max(image.size) <= EXACT else 0)
    while True:
        data = _webp(image, lossless=False, quality=quality)
        if len(data) <= limit.size or side <= SMALLEST:
            return _as_uri(data, image)
        side = max(SMALLEST, int(side * min(0.9, 0.95 * sqrt(limit.size / len(data)))))
        quality = max(40, quality - 8)
        image = _shrink(image, side)


def _shrink(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    width, height = (max(1, round(n * scale)) for n in image.size)
    return image.resize((width, height), Image.Resampling.BOX if scale <= 0.5 else Image.Resampling.BICUBIC)


def _webp(image: Image.Image, *, lossless: bool, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=lossless, quality=quality, method=2)
    return out.getvalue()


def _as_uri(data: bytes, image: Image.Image) -> Picture:
    return Picture(f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}", *image.size)
