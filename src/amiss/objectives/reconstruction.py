"""How far a reconstruction is from its image, and the derivative of that by the decoder's last pre-activation."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn import functional as F


class ReconstructionLoss(ABC):
    """An error between an image and the output of a sigmoid."""

    @abstractmethod
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Error (B,) of reconstructions y (B, ...) of images x (B, ...), a mean over values."""

    @abstractmethod
    def delta(self, x: Tensor, y: Tensor) -> Tensor:
        """Derivative (B, ...) of each image's error by the values whose sigmoid is y."""


class SquaredError(ReconstructionLoss):
    """Mean squared error: a Gaussian decoder."""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean over values of (y - x)^2, (B,)."""
        return (y - x).square().flatten(1).mean(1)

    def delta(self, x: Tensor, y: Tensor) -> Tensor:
        """2 (y - x) y (1 - y) / values, by the chain rule through the sigmoid."""
        return (y - x) * y * (1 - y) * (2 / x.shape[1:].numel())


class CrossEntropy(ReconstructionLoss):
    """Mean binary cross entropy: a Bernoulli decoder, whose targets beyond 0 and 1 count as these."""

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean over values of -x log y - (1 - x) log(1 - y), (B,)."""
        return F.binary_cross_entropy(y, x.clamp(0, 1), reduction="none").flatten(1).mean(1)

    def delta(self, x: Tensor, y: Tensor) -> Tensor:
        """(y - x) / values: the sigmoid's derivative cancels."""
        return (y - x.clamp(0, 1)) / x.shape[1:].numel()
