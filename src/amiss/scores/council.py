"""One score from several: how surprising each is among scores of normal images, combined as independent tests are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amiss.contracts import Scorer, WorkError
from amiss.objectives.tails import log_tails, normal_deviate


@dataclass(frozen=True)
class Fisher:
    """Minus twice the sum of log p (R. A. Fisher, 1932): one strong surprise counts, and so do several mild ones."""

    def __call__(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Combine log p and log (1 - p) of k members, (k, B); returns (B,) > 0."""
        return -2 * log_p.sum(0)


@dataclass(frozen=True)
class Stouffer:
    """Sum of normal quantiles over sqrt(k) (S. A. Stouffer, 1949): a member that finds nothing counts against."""

    def __call__(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Combine log p and log (1 - p) of k members, (k, B); returns (B,)."""
        return normal_deviate(log_p, log_q).sum(0) / math.sqrt(len(log_p))


@dataclass(frozen=True)
class Minimum:
    """Minus the log of the smallest p (L. H. C. Tippett, 1931): the most surprised member decides alone."""

    def __call__(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Combine log p and log (1 - p) of k members, (k, B); returns (B,) > 0."""
        return -log_p.amin(0)


Combination = Fisher | Stouffer | Minimum


class CouncilScorer(Scorer):
    """The members' scores through their tail probabilities among reference scores; rises strictly with each of them."""

    reference: Tensor  # (k, n), n = 0 before the fit
    width: Tensor  # (k,) > 0

    def __init__(self, members: Sequence[Scorer], combine: Combination, reference: Tensor, width: Tensor) -> None:
        super().__init__()
        self.members, self.combine = nn.ModuleList(members), combine
        self.register_buffer("reference", reference)
        self.register_buffer("width", width)
        self.exportable = all(member.exportable for member in members)
        self.differentiable = all(member.differentiable for member in members)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """score, each member's score member.1, member.2, ..., and its -log p, surprise.1, surprise.2, ...; each (B,).

        Raises WorkError before the fit.
        """
        if self.reference.shape[1] == 0:
            raise WorkError("council is not fitted: run its phases on normal images, or load a fitted model")
        scores = [member(x) for member in self.members]
        tails = [log_tails(s, r, h) for s, r, h in zip(scores, self.reference, self.width, strict=True)]
        log_p, log_q = (torch.stack(logs) for logs in zip(*tails, strict=True))
        return {
            "score": self.combine(log_p, log_q),
            **{f"member.{i}": s for i, s in enumerate(scores, start=1)},
            **{f"surprise.{i}": -p for i, p in enumerate(log_p, start=1)},
        }

    def forward(self, x: Tensor) -> Tensor:
        """Combined surprise (B,); raises WorkError before the fit."""
        return self.terms(x)["score"]
