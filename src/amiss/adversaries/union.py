"""Several adversaries at once (Tramer and Boneh, NeurIPS 2019), joined as ARAE's code joins them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from amiss.adversaries.perturbation import L2, Linf, Objective
from amiss.adversaries.spatial import Grid
from amiss.contracts import InputError


@dataclass(frozen=True)
class Union:
    """What every member finds, one after the other: the average over members, not the worst of them."""

    members: tuple[Linf | L2 | Grid, ...] = (L2(), Linf(), Grid())
    """The adversaries; k of them make a batch k times as long."""

    def __post_init__(self) -> None:
        if not self.members:
            raise InputError("Union was given no members: it must have at least one adversary")

    def __call__(self, objective: Objective, x: Tensor) -> Tensor:
        """Images (k B, C, H, W) of k members in order, for x (B, C, H, W); targets are x.repeat(k, 1, 1, 1)."""
        return torch.cat([member(objective, x) for member in self.members])
