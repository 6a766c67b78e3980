"""The mean of several scores, each in units of its own spread among normal images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amiss.contracts import Scorer


class MeanScorer(Scorer):
    """Mean over members of (score - mean) / deviation."""

    mean: Tensor  # (k,)
    deviation: Tensor  # (k,) > 0

    def __init__(self, members: Sequence[Scorer], mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.exportable = all(member.exportable for member in members)
        self.differentiable = all(member.differentiable for member in members)
        self.weights = {f"member.{i}": 1 / len(members) for i in range(1, len(members) + 1)}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """Each member's standardised score, member.1, member.2, ..., (B,)."""
        return {
            f"member.{i}": (member(x) - mean) / deviation
            for i, (member, mean, deviation) in enumerate(
                zip(self.members, self.mean, self.deviation, strict=True), start=1
            )
        }

    def forward(self, x: Tensor) -> Tensor:
        """Mean standardised score (B,)."""
        return torch.stack(list(self.terms(x).values())).mean(0)
