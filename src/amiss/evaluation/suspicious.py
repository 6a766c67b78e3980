"""Which training images do not look like the others: bad images that slipped in, found before or after a fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Method, Progress
from amiss.data.tiled import ImageSet
from amiss.engine.fitting import fit
from amiss.engine.progress import silent
from amiss.engine.runtime import Runtime, derive, seeded
from amiss.engine.scoring import score_images
from amiss.protocols.split import clusters, held_out_size, split


def suspicion(
    method: Method,
    images: ImageSet,
    *,
    folds: int = 5,
    runtime: Runtime | None = None,
    check: bool = True,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """Score N training images by fits that did not see them, (N,), higher = more suspicious.

    Each of the folds is scored by a fit on the others, which a bad image cannot make used to itself. Fits differ in
    scale, so scores are told in median absolute deviations above their fold's median. Copies and groups stay together.
    One fold is a fit on all images, scored as it is: cheaper, and fooled by methods that learn their images by heart.
    Raises InputError for less than one fold, for more folds than independent images, or too few images, and WorkError
    if training breaks down.
    """
    runtime = runtime or Runtime()
    fold = _folds(images, folds, derive(runtime.seed, "folds"))
    scores = np.empty(len(images))
    for k in range(folds):
        chosen = np.flatnonzero(fold == k)
        train = images if folds == 1 else images.subset(np.flatnonzero(fold != k))

        def tell(what: str, done: int, total: int, detail: str, k: int = k) -> None:
            progress(f"fold {k + 1} of {folds}: {what}", done, total, detail)

        found = _score(method, train, images.subset(chosen), runtime, check, tell)
        scores[chosen] = found if folds == 1 else _standardised(found)
    return scores


def _folds(images: ImageSet, folds: int, seed: int) -> NDArray[np.int64]:
    """Number of each image's fold, (N,)."""
    cluster = clusters(len(images), [images.digests()] + ([] if images.groups is None else [images.groups]))
    count = int(cluster.max(initial=-1)) + 1
    if not 1 <= folds <= count:
        raise InputError(f"{folds} folds were asked for: 1 to {count} are possible, as many as independent images")
    order = np.random.default_rng(seed).permutation(count)
    place = np.empty(count, np.int64)
    place[order] = np.arange(count) % folds
    return place[cluster]


def _score(
    method: Method, train: ImageSet, images: ImageSet, runtime: Runtime, check: bool, progress: Progress
) -> NDArray[np.float64]:
    with seeded(0):
        wants = method.learner(train.spec).held_out
    n_held_out = held_out_size(len(train)) if wants else 0
    parts = split(train, n_calibration=0, n_held_out=n_held_out, seed=derive(runtime.seed, "split"))
    fitted = fit(
        method,
        train.spec,
        train.subset(parts.train).inputs,
        train.subset(parts.held_out).inputs if wants else None,
        runtime=runtime,
        check=check,
        progress=progress,
    )
    return score_images(fitted.scorer, images, progress)


def _standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """In median absolute deviations above the median, which a few bad images in a fold hardly move."""
    above = scores - np.median(scores)
    return above / (float(np.median(np.abs(above))) or float(scores.std()) or 1.0)
