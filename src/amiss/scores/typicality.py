"""Typicality: how far a score lies from those of normal images, above or below (Somepalli et al., UAI 2021).

The paper ranks by the density of a Gaussian. Its exponent ranks alike and never underflows, so there are no ties.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amiss.contracts import Scorer

LEAST = 1e-12
"""A standard deviation below this counts as this: then all scores that were seen are alike."""


class Moments(nn.Module):
    """Mean and standard deviation (ddof 0) of all scores seen so far; 0 and 1 before the first."""

    count: Tensor  # () int64, scores seen
    mean: Tensor  # () float64
    std: Tensor  # () float64

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("std", torch.ones((), dtype=torch.float64))

    @torch.no_grad()
    def add(self, scores: Tensor) -> None:
        """Take scores (B,) in; the order and the batches in which they come make no difference."""
        if not len(scores):
            return
        scores = scores.to(self.mean.dtype)
        old, new = int(self.count), len(scores)
        mean, rise = scores.mean(), scores.mean() - self.mean
        spread = (scores - mean).square().sum() + old * self.std.square() + rise.square() * old * new / (old + new)
        self.count += new
        self.mean += rise * new / (old + new)
        self.std.copy_((spread / (old + new)).sqrt())


class Typicality(Scorer):
    """A = ((s - mean) / std)^2 of another scorer's score s, beside that scorer's own terms."""

    def __init__(self, scorer: Scorer, moments: Moments, weights: Mapping[str, float] | None = None) -> None:
        """Wrap a scorer whose scores of normal images `moments` has seen; its terms may carry the score instead of A.

        weights: of the terms, the wrapped ones and A, in the score; {"A": 1} if not given.
        """
        super().__init__()
        self.scorer, self.moments = scorer, moments
        self.exportable, self.differentiable = scorer.exportable, scorer.differentiable
        self.weights = dict(weights) if weights is not None else {"A": 1.0}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """The wrapped terms, and A, which is the squared number of standard deviations from the mean; each (B,)."""
        terms = self.scorer.terms(x)
        return {**terms, "A": self.distance(_weighted(terms, self.scorer.weights))}

    def distance(self, score: Tensor) -> Tensor:
        """A of scores (B,): minus twice the log density of a Gaussian, up to a constant.  (Eq. 6)"""
        return ((score - self.moments.mean) / self.moments.std.clamp_min(LEAST)).square()

    def forward(self, x: Tensor) -> Tensor:
        """A, or the weighted terms, (B,)."""
        return _weighted(self.terms(x), self.weights)


def _weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Weighted sum (B,) of terms."""
    return torch.stack([weight * terms[name] for name, weight in weights.items()]).sum(0)
