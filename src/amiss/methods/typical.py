"""Typical: any method's score, but two-sided, since an image may be too normal to be one of the normal images.

G. Somepalli, Y. Wu, Y. Balaji, B. Vinzamuri, S. Feizi, "Unsupervised Anomaly Detection with Adversarial Mirrored
AutoEncoders", UAI 2021, https://arxiv.org/abs/2003.10713, Section 3.4, whose A-score is taken here of any score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from amiss.contracts import ImageSpec, Learner, Method, Phase, Scorer
from amiss.engine.nested import Members, ScoreMemory
from amiss.methods.gradcon import GradCon
from amiss.scores.typicality import Moments, Typicality


@dataclass(frozen=True)
class Typical(Method):
    """Hyperparameters of the two-sided score."""

    member: Method = GradCon()
    """The method whose score is judged by its distance from the usual one."""

    @property
    def semi_supervised(self) -> bool:
        """As the member."""
        return self.member.semi_supervised

    def again(self) -> Typical | None:
        """As the member."""
        other = self.member.again()
        return None if other is None else replace(self, member=other)

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> TypicalLearner:
        """Make the learner; raises InputError for whatever the member does not support."""
        return TypicalLearner(self, spec, known)


class TypicalLearner(Learner):
    """The member's learner, and mean and deviation of its scores of held-out normal images."""

    held_out = True

    def __init__(self, hp: Typical, spec: ImageSpec, known: Tensor | None) -> None:
        super().__init__()
        self.members = Members([hp.member], spec, known)
        self.memory = ScoreMemory(1)
        self.moments = Moments()

    def phases(self) -> Iterator[Phase]:
        """The member's phases, then one pass over the held-out normals."""
        yield from self.members.phases(self)
        yield self.memory.phase(self, self.members, lambda scores: self.moments.add(scores[0]))

    def criterion(self, x: Tensor) -> Tensor | None:
        """The member's loss, while it trains."""
        return self.members.criterion(x)

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """What the member watches."""
        return self.members.vitals(x)

    def scorer(self) -> Scorer:
        """((s - mean) / std)^2 of the member's score s."""
        return Typicality(self.members.scorers()[0], self.moments)
