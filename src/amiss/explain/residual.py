"""Residual map: how far an image is, pixel by pixel, from the normal image that the scorer compares it with."""

from __future__ import annotations

import torch
from torch import Tensor

from amiss.contracts import InputError, Scorer
from amiss.explain.parts import batches, outermost
from amiss.scores.abilities import Reconstructs, reconstructs


def residual(scorer: Scorer, x: Tensor) -> Tensor:
    """Mean over channels of (x - reconstruction)^2, (B, H, W) >= 0, of images (B, C, H, W) in [0, 1].

    Its mean over pixels is the score where that is the mean squared error (autoencoders, PCA). A scorer made of others
    gives the mean map of those that reconstruct.
    Raises InputError for a scorer without a reconstruction.
    """
    parts = reconstructing(scorer, "residual map")
    with torch.no_grad():
        found = [
            torch.stack([(part.reconstruct(y) - y).square().mean(1) for part in parts]).mean(0) for y in batches(x)
        ]
    return torch.cat(found)


def reconstruction(scorer: Scorer, x: Tensor) -> Tensor:
    """The normal counterpart (B, C, H, W) of images, the mean over those in the scorer that make one.

    Raises InputError for a scorer without a reconstruction.
    """
    parts = reconstructing(scorer, "reconstruction")
    with torch.no_grad():
        return torch.cat([torch.stack([part.reconstruct(y) for part in parts]).mean(0) for y in batches(x)])


def reconstructing(scorer: Scorer, what: str) -> list[Reconstructs]:
    """The scorer, or those inside it that reconstruct; raises InputError, that it has no `what`, for none."""
    parts = outermost(scorer, reconstructs)
    if not parts:
        raise InputError(f"{type(scorer).__name__} has no {what}: it compares an image with no normal counterpart")
    return parts
