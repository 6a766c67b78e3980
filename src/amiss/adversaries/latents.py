"""Latent codes between those of normal images, and off the set where these lie (Somepalli et al., UAI 2021)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.contracts import InputError

LEAST = 1e-3
"""Least divisor of a code that is pushed outward."""


def convex_weights(n: int, k: int, like: Tensor) -> Tensor:
    """Weights (n, k) >= 0 of each row, drawn from U[0, 0.5] and divided by their sum."""
    alpha = torch.rand(n, k, dtype=like.dtype, device=like.device) / 2
    return alpha / alpha.sum(1, keepdim=True).clamp_min(torch.finfo(like.dtype).tiny)


def barycentric_weights(n: int, like: Tensor) -> Tensor:
    """Weights (n, 3) >= 0 of each row: two drawn from U[0, 0.5], and what is left to one."""
    alpha = torch.rand(n, 2, dtype=like.dtype, device=like.device) / 2
    return torch.cat([alpha, 1 - alpha.sum(1, keepdim=True)], 1)


class Interpolation(ABC):
    """Mixes the codes of a batch."""

    @property
    @abstractmethod
    def detached(self) -> bool:
        """Whether the critic alone learns from what is decoded, and the encoder and the generator nothing."""

    @abstractmethod
    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mix codes (B, d) of images in random order.

        Returns mixed codes (B, d), and which of them each image is compared with, (P, B): mixed codes that it is in.
        """


@dataclass(frozen=True)
class Simplex(Interpolation):
    """Points inside the simplex of k codes, each compared with the image of its first corner."""

    k: int = 3
    """Corners: codes that are mixed."""

    def __post_init__(self) -> None:
        if self.k < 2:
            raise InputError(f"Simplex was given k={self.k}: it must be at least 2")

    @property
    def detached(self) -> bool:
        """Gradients reach the encoder and the generator."""
        return False

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mix each code with its k - 1 next neighbours in the batch, which stands in random order."""
        corners = torch.stack([z.roll(-i, 0) for i in range(self.k)], 1)
        mixed = (convex_weights(len(z), self.k, z)[:, :, None] * corners).sum(1)
        return mixed, torch.arange(len(z), device=z.device)[None]


@dataclass(frozen=True)
class DetachedSimplex(Interpolation):
    """As in the authors' code: three corners, the last with what the others leave, compared with all three images."""

    @property
    def detached(self) -> bool:
        """Only the critic learns."""
        return True

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mix each code with two others, by random permutations."""
        n = len(z)
        partners = torch.stack([torch.arange(n, device=z.device), *(torch.randperm(n, device=z.device) for _ in "ab")])
        mixed = (barycentric_weights(n, z)[:, :, None] * z[partners].transpose(0, 1)).sum(1)
        return mixed, partners.argsort(1)  # image i stands in the mix whose partner it is


class Atypical(ABC):
    """Makes codes that normal images do not have."""

    @abstractmethod
    def __call__(self, z: Tensor) -> Tensor:
        """Codes (B, d) off the set where the codes z (B, d) of normal images lie."""


@dataclass(frozen=True)
class Shell(Atypical):
    """Uniform directions, with a uniform radius between a sphere near normal codes and one inside or outside it."""

    delta: float = -0.5
    """Thickness as a share of the sphere's radius: inward if negative, outward if positive."""
    measured: bool = True
    """Whether the radius is the mean norm of the codes of normal images; else it is the root of d, as in the paper."""

    def __post_init__(self) -> None:
        if not -1 <= self.delta <= 100 or self.delta == 0:
            raise InputError(f"Shell was given delta={self.delta}: it must be from -1 to 100, and not 0")

    def __call__(self, z: Tensor) -> Tensor:
        """Codes between radius and (1 + delta) radius."""
        radius = z.norm(dim=1).mean() if self.measured else z.shape[1] ** 0.5
        depth = torch.rand(len(z), 1, dtype=z.dtype, device=z.device)
        return F.normalize(torch.randn_like(z)) * radius * (1 + self.delta * depth)


@dataclass(frozen=True)
class Cube(Atypical):
    """Uniform in a cube around the origin (after Sipple, ICML 2020), whose corners lie near normal codes."""

    share: float = 1.0
    """Half of the diagonal, as a share of the mean norm of the codes of normal images."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 100:
            raise InputError(f"Cube was given share={self.share}: it must be above 0 and at most 100")

    def __call__(self, z: Tensor) -> Tensor:
        """Codes each of whose values is at most share * mean norm / sqrt(d)."""
        return (2 * torch.rand_like(z) - 1) * (self.share * z.norm(dim=1).mean() / z.shape[1] ** 0.5)


@dataclass(frozen=True)
class Scaled(Atypical):
    """As in the authors' code: codes of normal images times alpha, or divided by it, alpha from U(0, 0.5)."""

    inward: bool = True
    """Whether codes are shortened, to at most half of their norm; else they become at least twice as long."""

    def __call__(self, z: Tensor) -> Tensor:
        """The same directions, with other norms."""
        alpha = torch.rand(len(z), 1, dtype=z.dtype, device=z.device) / 2
        return z * alpha if self.inward else z / alpha.clamp_min(LEAST)
