"""Runs a scorer over images in micro-batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import Progress, Scorer
from amiss.data.tiled import TiledImages
from amiss.engine.batches import Batches, batch
from amiss.engine.progress import silent
from amiss.engine.runtime import keep_workspace
from amiss.transforms.tiles import pool

MICRO_BATCH = 64
"""Images scored at once; larger batches are slower on a CPU."""


def score_images(scorer: Scorer, images: Batches | TiledImages, progress: Progress = silent) -> np.ndarray:
    """Scores (N,) in float64 of N images, higher = more anomalous; of tiled images, those of their tiles pooled."""
    if isinstance(images, TiledImages):
        scores = score_images(scorer, images.inputs, progress)
        return pool(scores, scores, images.counts, images.tiling.pool)
    return _collect(lambda x: {"score": scorer(x)}, scorer, images, progress)["score"]


def score_terms(scorer: Scorer, images: Batches | TiledImages, progress: Progress = silent) -> dict[str, np.ndarray]:
    """Every part of the score by name, each (N,) in float64; of tiled images, of the tiles that make the score."""
    if isinstance(images, TiledImages):
        tiles, counts, k = images.inputs, images.counts, images.tiling.pool
        scores = score_images(scorer, tiles)
        return {name: pool(term, scores, counts, k) for name, term in score_terms(scorer, tiles, progress).items()}
    return _collect(scorer.terms, scorer, images, progress)


def device_of(scorer: Scorer) -> torch.device:
    """Where the scorer lies; the CPU if it has no memory."""
    return next((t.device for t in (*scorer.parameters(), *scorer.buffers())), torch.device("cpu"))


def _collect(
    run: Callable[[Tensor], dict[str, Tensor]], scorer: Scorer, images: Batches, progress: Progress
) -> dict[str, np.ndarray]:
    device = device_of(scorer)
    keep_workspace()
    parts: dict[str, list[np.ndarray]] = {}
    # A scorer that needs gradients enables them itself, which inference mode would forbid.
    with torch.no_grad():
        for start in range(0, max(1, len(images)), MICRO_BATCH):  # no images are one empty batch, which names the terms
            stop = min(start + MICRO_BATCH, len(images))
            for name, values in run(batch(images, np.arange(start, stop), device)).items():
                parts.setdefault(name, []).append(values.double().cpu().numpy())
            progress("scoring", stop, len(images), "")
    return {name: np.concatenate(values) for name, values in parts.items()}
