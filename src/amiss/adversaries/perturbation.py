"""Projected gradient ascent within a ball around the image (Madry et al., ICLR 2018), projected as ARAE's code does.

An adversary is called with an objective, which maps images (B, C, H, W) to values (B,), each of its own image alone,
and with images x (B, C, H, W) in [0, 1]. It returns images in [0, 1] on which the objective is higher, as many as it
was given or a multiple of that, and differentiates by the image only: no weight gets a gradient.

The perturbation is a buffer of its own that stays in the ball after every step; the image x + delta is clipped to
[0, 1] only where it is looked at. So on a black pixel a negative delta must climb back through zero before the image
changes, which makes the attack a little weaker than one that projects the image itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from amiss.adversaries.ranges import check_ranges
from amiss.sharing import drawn

Objective = Callable[[Tensor], Tensor]
"""Maps images (B, C, H, W) to the values (B,) that are to be raised."""


@dataclass(frozen=True)
class Linf:
    """Every pixel moves by at most eps."""

    eps: float = 0.05
    """Largest change of a pixel value; the papers take 0.2 for MNIST."""
    steps: int = 10
    """Steps of gradient ascent."""
    step: float | None = None
    """Length of a step; 2.5 eps / steps if not given."""

    def __post_init__(self) -> None:
        check_ranges(self, eps=(0, 1), steps=(1, inf), step=(0, inf))

    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], at most eps from x (B, C, H, W) in every value."""
        step = 2.5 * self.eps / self.steps if self.step is None else self.step
        delta = drawn(x, lambda start: start.uniform_(-self.eps, self.eps))
        for _ in range(self.steps):
            ascent = gradient(objective, (x + delta).clamp_(0, 1)).sign()
            delta.add_(ascent, alpha=step).clamp_(-self.eps, self.eps)
        return (x + delta).clamp(0, 1)


@dataclass(frozen=True)
class L2:
    """The perturbation's Euclidean length is at most eps."""

    eps: float = 1.5
    """Longest perturbation of an image, over all its values."""
    steps: int = 10
    """Steps of gradient ascent."""
    step: float | None = None
    """Length of a step; 2.5 eps / steps if not given."""

    def __post_init__(self) -> None:
        check_ranges(self, eps=(0, inf), steps=(1, inf), step=(0, inf))

    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], at most eps from x (B, C, H, W) in Euclidean length."""
        step = 2.5 * self.eps / self.steps if self.step is None else self.step
        radius = drawn(x[:, :1, :1, :1], Tensor.uniform_) ** (1 / max(1, x[:1].numel()))
        delta = self.eps * radius * unit(drawn(x, Tensor.normal_))  # uniform in the ball
        for _ in range(self.steps):
            delta += step * unit(gradient(objective, (x + delta).clamp(0, 1)))
            delta *= (self.eps / lengths(delta)).clamp(max=1)
        return (x + delta).clamp(0, 1)


def gradient(objective: Objective, x: Tensor) -> Tensor:
    """Gradient (B, C, H, W) of each value by its own image, also where the caller has switched gradients off."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(objective(x).sum(), x)[0]


def lengths(v: Tensor) -> Tensor:
    """Euclidean lengths (B, 1, 1, 1) of rows (B, C, H, W), never zero."""
    return v.square().sum((1, 2, 3), keepdim=True).sqrt().clamp_min(torch.finfo(v.dtype).tiny)


def unit(v: Tensor) -> Tensor:
    """Rows (B, C, H, W) brought to length 1; zero stays zero."""
    return v / lengths(v)
