"""Council: several methods' scores combined, as independent tests are, through their tails among normal images.

A score that mixes methods must not depend on their units. Each member's score becomes the probability that a held-out
normal image has a larger one; these are combined by R. A. Fisher's method ("Statistical Methods for Research Workers",
4th edition, 1932), S. A. Stouffer's ("The American Soldier", 1949) or L. H. C. Tippett's ("The Methods of Statistics",
1931).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Learner, Method, Phase, Scorer
from amiss.engine.nested import Members, ScoreMemory, uses_known
from amiss.engine.settings import within
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.objectives.tails import bandwidth
from amiss.scores.council import CouncilScorer, Fisher, Minimum, Stouffer


@dataclass(frozen=True)
class Council(Method):
    """Hyperparameters of the council."""

    members: tuple[Method, ...] = (GradCon(), KNN(), PCA())
    """The methods whose scores are combined."""
    combination: Fisher | Stouffer | Minimum = Fisher()  # noqa: RUF009  frozen
    """How their tail probabilities become one score."""
    reference: int = 1000
    """Most reference scores that are kept of each member, evenly spaced among its sorted ones."""

    def __post_init__(self) -> None:
        within(self, reference=(2, inf))
        if not self.members:
            raise InputError("council was given no members: give at least one method")

    @property
    def semi_supervised(self) -> bool:
        """Whether a member needs known anomalies."""
        return uses_known(self.members)

    def again(self) -> Council | None:
        """Every member that knows another start with that one."""
        others = tuple(member.again() or member for member in self.members)
        return None if others == self.members else replace(self, members=others)

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> CouncilLearner:
        """Make the learner; raises InputError for what a member does not support, and known anomalies none can use."""
        return CouncilLearner(self, spec, known)


class CouncilLearner(Learner):
    """The members' learners, and each one's sorted scores of held-out normal images."""

    held_out = True
    reference: Tensor  # (k, n), each row sorted; n = 0 before the fit
    width: Tensor  # (k,)

    def __init__(self, hp: Council, spec: ImageSpec, known: Tensor | None) -> None:
        super().__init__()
        self.hp = hp
        self.members = Members(hp.members, spec, known)
        self.memory = ScoreMemory(len(hp.members))
        self.register_buffer("reference", torch.zeros(len(hp.members), 0))
        self.register_buffer("width", torch.ones(len(hp.members)))

    def phases(self) -> Iterator[Phase]:
        """The members' phases, then one pass over the held-out normals."""
        yield from self.members.phases(self)
        yield self.memory.phase(self, self.members, self.refer)

    def refer(self, scores: Tensor) -> None:
        """Keep the reference scores (k, n) of each member."""
        n = scores.shape[1]
        kept = min(n, self.hp.reference)
        middle = (torch.arange(kept, device=scores.device) * 2 + 1) * n // (2 * kept)  # of `kept` equal shares
        self.reference = scores.sort(1).values[:, middle]
        self.width = torch.stack([bandwidth(row) for row in scores])

    def criterion(self, x: Tensor) -> Tensor | None:
        """The loss of the member that trains."""
        return self.members.criterion(x)

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """What the members watch."""
        return self.members.vitals(x)

    def scorer(self) -> Scorer:
        """The combined surprise."""
        return CouncilScorer(self.members.scorers(), self.hp.combination, self.reference, self.width)
