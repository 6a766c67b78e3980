"""Averaged: one run of a method, scored with the mean of its weights over the last epochs.

B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on Control and
Optimization 30(4), 1992, https://doi.org/10.1137/0330046; over epochs, as P. Izmailov, D. Podoprikhin, T. Garipov,
D. Vetrov, A. G. Wilson, "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018,
https://arxiv.org/abs/1803.05407.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from amiss.contracts import ImageSpec, Learner, Method, Phase, Scorer
from amiss.engine.nested import Members
from amiss.engine.settings import within
from amiss.engine.state import install
from amiss.methods.gradcon import GradCon


@dataclass(frozen=True)
class Averaged(Method):
    """Hyperparameters of weight averaging."""

    member: Method = GradCon()
    """The method whose weights are averaged."""
    start: float = 0.5
    """Share of its last phase after which averaging begins; 1 keeps the last epoch alone."""

    def __post_init__(self) -> None:
        within(self, start=(0, 1))

    @property
    def semi_supervised(self) -> bool:
        """As the member."""
        return self.member.semi_supervised

    def again(self) -> Averaged | None:
        """As the member."""
        other = self.member.again()
        return None if other is None else replace(self, member=other)

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> AveragedLearner:
        """Make the learner; raises InputError for whatever the member does not support."""
        return AveragedLearner(self, spec, known)


class AveragedLearner(Learner):
    """The member's learner, and its scorer with averaged weights; no epoch is selected, which averaging replaces."""

    count: Tensor  # () int64, epochs in the average

    def __init__(self, hp: Averaged, spec: ImageSpec, known: Tensor | None) -> None:
        super().__init__()
        self.hp = hp
        self.members = Members([hp.member], spec, known)
        self.held_out = self.members.held_out  # a phase of the member may ask for them
        self.average = copy.deepcopy(self.members.scorers()[0]).requires_grad_(False)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def phases(self) -> Iterator[Phase]:
        """The member's phases; each begins a new average, so that the last one's remains."""
        for phase in self.members.phases(self):
            self.count.zero_()
            yield replace(phase, after_epoch=self.then_average(phase.after_epoch))

    def then_average(self, after_epoch: Callable[[], None] | None) -> Callable[[], None]:
        """What a phase does after an epoch, and the averaging."""

        def both() -> None:
            if after_epoch is not None:
                after_epoch()
            self.accumulate()

        return both

    def accumulate(self) -> None:
        """Take the weights of this epoch into the mean; before `start`, and for whole numbers, the newest count."""
        if self.elapsed > self.hp.start:
            self.count += 1
        newest, mean = self.members.scorers()[0].state_dict(), self.average.state_dict()
        for name, value in newest.items():
            if value.is_floating_point() and value.shape == mean[name].shape:
                newest[name] = torch.lerp(mean[name], value.detach(), 1 / max(1, int(self.count)))
        install(self.average, newest)

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """What the member watches."""
        return self.members.vitals(x)

    def scorer(self) -> Scorer:
        """The member's scorer with averaged weights."""
        return self.average
