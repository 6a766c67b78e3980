"""The mirrored Wasserstein loss (Somepalli et al., UAI 2021, Section 3.1): a critic compares (x, x) with (x, y)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from amiss.objectives.wasserstein import gradient_penalty, pixel_penalty

PairCritic = Callable[[Tensor, Tensor], Tensor]
"""Two images of each pair, both (B, C, H, W), to values (B,)."""


def stacked(x: Tensor, y: Tensor) -> Tensor:
    """What a mirrored critic sees of pairs of images (B, C, H, W): both, (B, 2 C, H, W)."""
    return torch.cat([x, y], 1)


def second(x: Tensor, y: Tensor) -> Tensor:
    """What a plain Wasserstein critic sees of pairs of images (B, C, H, W): the second."""
    return y


def mirror_gaps(critic: PairCritic, x: Tensor, others: Sequence[Tensor]) -> list[Tensor]:
    """D(x, x) - D(x, y), (B,), for each y of `others`, all (B, C, H, W); D(x, x) is computed once.  (Eq. 1)"""
    values = critic(x.repeat(1 + len(others), 1, 1, 1), torch.cat([x, *others])).chunk(1 + len(others))
    return [values[0] - value for value in values[1:]]


class PairPenalty(ABC):
    """A gradient penalty of a critic of pairs."""

    @abstractmethod
    def __call__(self, critic: PairCritic, x: Tensor, y: Tensor) -> Tensor:
        """Penalty (B,) between the pairs (x, x) and (x, y) of images (B, C, H, W)."""


@dataclass(frozen=True)
class SecondImage(PairPenalty):
    """Slope by the second image of a pair, one norm over all of its values: the penalty of WGAN-GP."""

    def __call__(self, critic: PairCritic, x: Tensor, y: Tensor) -> Tensor:
        """Penalty (B,): the first image is held."""
        return gradient_penalty(lambda v: critic(x, v), x, y)


@dataclass(frozen=True)
class EveryPixel(PairPenalty):
    """Slope by both images of a pair, a norm over the channels of each pixel: the authors' code."""

    def __call__(self, critic: PairCritic, x: Tensor, y: Tensor) -> Tensor:
        """Penalty (B,): only the second image lies between two, since the first of both pairs is the same."""
        c = x.shape[1]
        return pixel_penalty(lambda pair: critic(pair[:, :c], pair[:, c:]), stacked(x, x), stacked(x, y))
