"""Ensemble: the mean score of several runs of one method that differ in everything random.

L. K. Hansen, P. Salamon, "Neural Network Ensembles", IEEE Transactions on Pattern Analysis and Machine Intelligence
12(10), 1990, https://doi.org/10.1109/34.58871.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, Learner, Method, Phase, Scorer
from amiss.engine.nested import Members, ScoreMemory
from amiss.engine.settings import within
from amiss.methods.gradcon import GradCon
from amiss.objectives.tails import spread_floor
from amiss.scores.mean import MeanScorer


@dataclass(frozen=True)
class Ensemble(Method):
    """Hyperparameters of the ensemble."""

    member: Method = GradCon()
    """The method that is run several times."""
    runs: int = 3
    """How many runs."""

    def __post_init__(self) -> None:
        within(self, runs=(1, 1000))

    @property
    def semi_supervised(self) -> bool:
        """As the member."""
        return self.member.semi_supervised

    def again(self) -> Ensemble | None:
        """As the member."""
        other = self.member.again()
        return None if other is None else replace(self, member=other)

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> EnsembleLearner:
        """Make the learner; raises InputError for whatever the member does not support."""
        return EnsembleLearner(self, spec, known)


class EnsembleLearner(Learner):
    """The runs, and the mean and deviation of each one's scores of held-out normal images."""

    held_out = True
    mean: Tensor  # (k,)
    deviation: Tensor  # (k,)

    def __init__(self, hp: Ensemble, spec: ImageSpec, known: Tensor | None) -> None:
        super().__init__()
        self.members = Members([hp.member] * hp.runs, spec, known)
        self.memory = ScoreMemory(hp.runs)
        self.register_buffer("mean", torch.zeros(hp.runs))
        self.register_buffer("deviation", torch.ones(hp.runs))

    def phases(self) -> Iterator[Phase]:
        """One run after the other, each in an order of images of its own, then one pass over the held-out normals."""
        yield from self.members.phases(self)
        yield self.memory.phase(self, self.members, self.standardise)

    def standardise(self, scores: Tensor) -> None:
        """Take each run's mean and deviation from its scores (k, n)."""
        self.mean, deviation = scores.mean(1), scores.std(1)
        self.deviation = torch.maximum(deviation, torch.stack([spread_floor(row) for row in scores]))

    def criterion(self, x: Tensor) -> Tensor | None:
        """The loss of the run that trains."""
        return self.members.criterion(x)

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """What the runs watch."""
        return self.members.vitals(x)

    def scorer(self) -> Scorer:
        """The mean of the standardised scores."""
        return MeanScorer(self.members.scorers(), self.mean, self.deviation)
