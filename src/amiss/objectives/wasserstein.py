"""The gradient penalty of Wasserstein critics (Gulrajani et al., NeurIPS 2017), and a released variant."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """(||gradient|| - 1)^2 of each image, (B,), at a random point between a real and a generated image.

    critic: images (B, C, H, W) to values (B,), each of its own image alone. real, fake: images (B, C, H, W), constants.
    The norm is the 2-norm over all values of an image, and the random point is drawn for each image. The graph is kept.
    """
    return (_slopes(critic, real, fake).flatten(1).norm(dim=1) - 1).square()


def pixel_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """As `gradient_penalty`, but with a norm over the channels of each pixel, and a mean over pixels, (B,).

    It asks every pixel for a slope of one, so that the slope of the whole image is the root of the number of pixels.
    """
    return (_slopes(critic, real, fake).norm(dim=1) - 1).square().flatten(1).mean(1)


def _slopes(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Gradients (B, C, H, W) of the critic at random points between images."""
    share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    between = (real + share * (fake - real)).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return slopes
