"""Which images a file is compared on: those that calibrated, where they can still be read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.images import Images, Layout
from amiss.data.listing import FileSource, Listing, list_images
from amiss.data.origin import Origin
from amiss.data.resample import resize, to_depth
from amiss.data.stream import stream
from amiss.detector import Detector
from amiss.engine.scoring import score_images
from amiss.export.parity import Sample
from amiss.export.tolerance import TABLE, Scale

MOST = 256
"""Images that are compared, evenly spaced among those there are."""

LOOKED_AT = 5 * MOST
"""Images of a fit's source among which those that calibrated are looked for; by default they are a fifth of it."""


def find(detector: Detector, given: FileSource | None, progress: Progress) -> Sample:
    """Images to compare on, with their scores by the model: those given, or those that calibrated, or thumbnails.

    Calibration images are found in the fit's source by their scores, which the model file keeps. Raises InputError for
    given images that cannot be read, and where none are given and the model knows of none.
    """
    layout, scores = detector.layout, detector.artifact.calibration_scores
    if given is not None:
        listing = list_images(given, recursive=True, roles=False)
        return _read(detector, _spread(listing, MOST), "given images", progress)
    source = _source(Origin.of_record(detector.artifact.record))
    if source is not None:
        found = _read(detector, _spread(source, LOOKED_AT), "images of the fit", progress)
        held = np.flatnonzero(_among(found.scores, scores)) if len(scores) else np.empty(0, np.int64)
        kept = held if len(held) else np.arange(len(found.names))
        kept = kept[_evenly(len(kept), MOST)]
        what = "calibration images" if len(held) else found.what
        return Sample(found.pixels[kept], found.scores[kept], [found.names[int(i)] for i in kept], what)
    thumbnails = detector.artifact.thumbnails
    if thumbnails is None:
        raise InputError(
            "the images that the model was fitted on cannot be read from here, and it keeps no thumbnails: give images "
            "to compare on, as --images DIR or images="
        )
    pixels = np.stack([_enlarged(image, layout) for image in thumbnails])
    names = detector.artifact.thumbnail_names
    return Sample(pixels, _scores(detector, pixels, progress), names, "thumbnails of training images")


def _source(origin: Origin) -> Listing | None:
    """The fit's own images, where they are known and still there."""
    if origin.normal is None or not os.path.lexists(origin.normal):
        return None
    try:
        how = origin.reading
        return list_images(origin.normal, recursive=how.recursive).normal()
    except InputError:  # the place holds something else by now, and thumbnails will do
        return None


def _read(detector: Detector, listing: Listing, what: str, progress: Progress) -> Sample:
    """Read and score files; those that cannot be read are left out, unless none can."""
    chunks = list(stream([Path(path) for path in listing.paths], detector.layout, on_bad="skip"))
    pixels = np.concatenate([chunk.pixels.numpy() for chunk in chunks])
    if not len(pixels):
        raise InputError(f"none of {len(listing)} {what} can be read: {chunks[0].skipped[0].reason}")
    names = [name for chunk in chunks for name in chunk.names]
    return Sample(pixels, _scores(detector, pixels, progress), names, what)


def _scores(detector: Detector, pixels: NDArray[np.generic], progress: Progress) -> NDArray[np.float64]:
    return score_images(detector.artifact.scorer, Images(pixels), progress)


def _among(found: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which scores (N,) are one of the known ones (n,), n > 0, to within the tolerance."""
    known = np.sort(known)
    right = np.searchsorted(known, found).clip(0, len(known) - 1)
    left = (right - 1).clip(0)
    apart = np.minimum(np.abs(known[left] - found), np.abs(known[right] - found))
    return apart <= TABLE.usual * Scale.of(known).spread


def _spread(listing: Listing, most: int) -> Listing:
    return listing.select(_evenly(len(listing), most))


def _evenly(n: int, most: int) -> NDArray[np.int64]:
    """Positions of at most so many of n, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _enlarged(image: NDArray[np.uint8], layout: Layout) -> NDArray[np.generic]:
    """A thumbnail (C, h, w) in the model's size and depth."""
    return to_depth(resize(image, layout.spec.height, layout.spec.width), layout.depth)
