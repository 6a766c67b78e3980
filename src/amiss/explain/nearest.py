"""The normal images that lie nearest: the plainest answer to what an image is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from amiss.contracts import ImageSpec, InputError
from amiss.data.images import Images
from amiss.data.stream import Stream
from amiss.data.tiled import ImageSet, TiledImages
from amiss.engine.batches import batch
from amiss.explain.parts import VALUES
from amiss.nets.pixels import rows, squared_distances, wide
from amiss.transforms.unit import to_unit

SIDE = 32
"""Sides of images that are compared: longer ones are averaged down."""
CHUNK = 1024
THUMBNAILS, THUMBNAIL_SIDE = 256, 64
"""Most thumbnails in a model file, and their longest side in pixels."""


@dataclass(frozen=True)
class Nearest:
    """The k nearest of the reference images to each of N images, nearest first."""

    index: NDArray[np.int64]
    """Which reference images, (N, k)."""
    distance: NDArray[np.float64]
    """Root mean square difference of pixel values, (N, k), from 0 for a copy to 1 for black beside white."""
    names: NDArray[np.str_]
    """What results call those reference images, (N, k)."""


@dataclass(frozen=True)
class Thumbnails:
    """Some training images, made small."""

    pixels: NDArray[np.uint8]
    """(n, C, h, w), at most 256 of them, of at most 64 pixels a side."""
    names: list[str]
    """What results call them."""


@torch.no_grad()
def nearest(x: Tensor, reference: Images, k: int = 3, *, side: int = SIDE) -> Nearest:
    """Find the k nearest of M reference images (C, H, W), seen in chunks, to images x (B, C, H, W) in [0, 1].

    Compared are raw pixels, sides longer than `side` averaged down; nothing of the scorer enters. With fewer than k
    references all of them are returned. Raises InputError for k below 1, no references, or another number of channels.
    """
    if k < 1 or not len(reference):
        raise InputError(f"k={k} nearest of {len(reference)} images were asked for: both must be at least 1")
    of = rows(x, side)
    values = wide(of.new_zeros(len(x), 0))
    index = torch.zeros(len(x), 0, dtype=torch.int64, device=x.device)
    for start in range(0, len(reference), CHUNK):
        at = np.arange(start, min(start + CHUNK, len(reference)))
        known = rows(batch(reference, at, x.device), side)
        if known.shape[1] != of.shape[1]:
            raise InputError(f"images of {of.shape[1]} values cannot be compared with those of {known.shape[1]}")
        values = torch.cat([values, squared_distances(of, known)], 1)
        index = torch.cat([index, torch.from_numpy(at).to(x.device).expand(len(x), -1)], 1)
        values, kept = values.topk(min(k, values.shape[1]), dim=1, largest=False)
        index = index.gather(1, kept)
    shape = (*index.shape, of.shape[1])
    chosen = rows(batch(reference, index.flatten().cpu().numpy(), x.device), side).view(shape)
    distance = (wide(of)[:, None] - wide(chosen)).square().mean(2).sqrt()  # without the rounding of the search
    order = distance.argsort(dim=1, stable=True)
    found = index.gather(1, order).cpu().numpy()
    names = np.array([reference.name(i) for i in found.flat], dtype=np.str_).reshape(found.shape)
    return Nearest(found, distance.gather(1, order).double().cpu().numpy(), names)


def nearest_stream(source: Stream, known: Images, k: int, device: torch.device) -> Nearest:
    """`nearest` of the images of a stream among thumbnails, as which the images are seen too."""
    found = [
        nearest(shrink(to_unit(x.to(device)), known.spec), known, k) for chunk in source for x in _bounded(chunk.pixels)
    ]
    return Nearest(
        np.concatenate([part.index for part in found]),
        np.concatenate([part.distance for part in found]),
        np.concatenate([part.names for part in found]),
    )


def _bounded(pixels: Tensor) -> tuple[Tensor, ...]:
    """Images (B, C, H, W) in batches that are small as floats too."""
    return torch.split(pixels, max(1, VALUES // max(1, pixels.shape[1:].numel())))


def shrink(x: Tensor, spec: ImageSpec | None = None) -> Tensor:
    """Average sides longer than a thumbnail's down to it, or to those of `spec`, of images (B, C, H, W)."""
    height, width = (min(n, THUMBNAIL_SIDE) for n in x.shape[-2:])
    if spec is not None and (spec.height, spec.width) != (height, width):
        return F.adaptive_avg_pool2d(x, (spec.height, spec.width))
    return rows(x, THUMBNAIL_SIDE).view(-1, x.shape[1], height, width)


def thumbnail_spec(images: ImageSet) -> ImageSpec:
    """The shape of thumbnails: no side above 64, and of images of several sizes the proportions of their medians."""
    spec = images.spec
    if isinstance(images, TiledImages):
        height, width = (max(1.0, float(n)) for n in np.median(images.shapes, axis=0))
        scale = min(1, THUMBNAIL_SIDE / max(height, width))
        return ImageSpec(spec.channels, max(1, round(scale * height)), max(1, round(scale * width)))
    return ImageSpec(spec.channels, min(spec.height, THUMBNAIL_SIDE), min(spec.width, THUMBNAIL_SIDE))


def quantised(small: Tensor) -> NDArray[np.uint8]:
    """Thumbnails in [0, 1] as a model file keeps them."""
    return (small.clamp(0, 1) * 255).round().byte().numpy()


def thumbnails(images: ImageSet) -> Thumbnails:
    """Make at most 256 of the images small, evenly spaced; the same images give the same ones."""
    count = min(len(images), THUMBNAILS)
    at = np.linspace(0, len(images) - 1, count).round().astype(np.int64)
    spec = thumbnail_spec(images)
    if isinstance(images, TiledImages):
        whole = (torch.from_numpy(images.whole(int(i)))[None] for i in at)
        pixels = np.concatenate([quantised(shrink(to_unit(x), spec)) for x in whole])
    else:
        pixels = quantised(shrink(batch(images, at, torch.device("cpu")), spec))
    return Thumbnails(pixels, [images.name(int(i)) for i in at])
