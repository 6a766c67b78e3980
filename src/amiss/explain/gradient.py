"""Gradient map: how the score changes with each pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from amiss.contracts import InputError, Scorer
from amiss.explain.parts import batches


def gradient(scorer: Scorer, x: Tensor) -> Tensor:
    """Derivative of the score by each pixel, (B, H, W): the sum over channels; images (B, C, H, W) in [0, 1].

    Positive: were this pixel brighter, the score would rise. Negative: were it darker.
    Raises InputError for a scorer that has no gradient by the image.
    """
    if not scorer.differentiable:
        raise InputError(f"{type(scorer).__name__} has no gradient map: its score has no gradient by the image")
    return torch.cat([_gradient(scorer, y) for y in batches(x)])


def _gradient(scorer: Scorer, x: Tensor) -> Tensor:
    """The map of one micro-batch; each image's score depends on that image alone, so one pass serves them all."""
    if not len(x):
        return x.new_zeros(0, *x.shape[2:])
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        total = scorer(x).sum()
        if not total.requires_grad:
            raise InputError(f"{type(scorer).__name__} has no gradient map: its score does not depend on the image")
        (by_pixel,) = torch.autograd.grad(total, x)
    return by_pixel.sum(1)
