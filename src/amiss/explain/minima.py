"""Local minima of the score, reached from noise: what the scorer itself takes for most normal (ARAE, Figure 7).

M. Salehi et al., "ARAE: Adversarially Robust Training of Autoencoders Improves Novelty Detection", 2020,
https://arxiv.org/abs/2003.05669, Section "Local Minima Visualization".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Scorer
from amiss.engine.runtime import derive, seeded
from amiss.engine.scoring import MICRO_BATCH, device_of

STEP = 0.05
"""First step of each pixel; it falls linearly to zero."""


@dataclass(frozen=True)
class Minima:
    """Where descents from noise ended."""

    images: Tensor
    """The lowest point of each descent, (n, C, H, W) in [0, 1]."""
    scores: Tensor
    """Their scores, (n,)."""
    noise: Tensor
    """What they began with, (n, C, H, W)."""
    noise_scores: Tensor
    """The noise's scores, (n,)."""


def minima(scorer: Scorer, spec: ImageSpec, n: int = 8, *, steps: int = 300, seed: int = 0) -> Minima:
    """Descend the score by the image, n times, from uniform noise; pixels stay in [0, 1].

    The gradient is normalised pixel by pixel (Adam), since scores differ in scale by orders of magnitude. Each descent
    depends on the seed and its number alone.
    Raises InputError for a scorer without a gradient by the image, and for n or steps below 1.
    """
    if not scorer.differentiable:
        raise InputError(f"{type(scorer).__name__} has no minima to descend to: its score has no gradient by the image")
    if n < 1 or steps < 1:
        raise InputError(f"{n} descents of {steps} steps were asked for: both must be at least 1")
    noise = torch.stack([_noise(spec, derive(seed, "minima", i)) for i in range(n)]).to(device_of(scorer))
    found = [_descend(scorer, x, steps) for x in torch.split(noise, MICRO_BATCH)]
    images, scores, noise_scores = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Minima(images, scores, noise, noise_scores)


def _noise(spec: ImageSpec, seed: int) -> Tensor:
    with seeded(seed):
        return torch.rand(spec.channels, spec.height, spec.width)


def _descend(scorer: Scorer, x: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Lowest images of the descents from x (B, C, H, W), their scores, and those of x, (B,)."""
    x = x.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=STEP)
    best, scores = x.detach().clone(), []
    for i in range(steps + 1):
        with torch.enable_grad():
            score = scorer(x)
            (x.grad,) = torch.autograd.grad(score.sum(), x)
        scores.append(score.detach())
        lower = scores[-1] <= torch.stack(scores).amin(0)
        best[lower] = x.detach()[lower]
        adam.param_groups[0]["lr"] = STEP * (1 - i / steps)
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return best, torch.stack(scores).amin(0), scores[0]
