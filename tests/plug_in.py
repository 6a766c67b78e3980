"""A plug-in method made of other methods and of parts: the mean of its members' scores, each on the scale of a part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA


@dataclass(frozen=True)
class Spread:
    """Scores in units of their standard deviation on the training images."""

    floor: float = 1e-6
    """Smallest deviation."""

    def __call__(self, scores: Tensor) -> Tensor:
        return scores.std().clamp_min(self.floor)


@dataclass(frozen=True)
class Fixed:
    """Scores in units that are given."""

    unit: float = 1.0
    """The unit."""

    def __call__(self, scores: Tensor) -> Tensor:
        return scores.new_full((), self.unit)


@dataclass(frozen=True)
class Jury(Method):
    """Settings."""

    members: tuple[Method, ...] = (PCA(components=0.9), KNN(k=3))
    """Whose scores are averaged."""
    unit: Spread | Fixed = Spread()
    """How they are made comparable."""
    limit: float | None = None
    """Largest score."""
    names: tuple[str, ...] = ()
    """Labels, for people."""

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> JuryLearner:
        if known is not None:
            raise InputError("the jury learns from normal images only")
        return JuryLearner(self, spec)


PRESETS: dict[str, Method] = {"jury_fixed": Jury(unit=Fixed(2.0))}


class JuryLearner(Learner):
    units: Tensor
    count: Tensor
    scores: Tensor

    def __init__(self, hp: Jury, spec: ImageSpec) -> None:
        super().__init__()
        self.hp = hp
        self.members = nn.ModuleList([member.learner(spec) for member in hp.members])
        self.register_buffer("units", torch.ones(len(hp.members)))
        self.register_buffer("scores", torch.zeros(0, len(hp.members)))

    def phases(self) -> Iterator[Phase]:
        for member in self.members:
            yield from member.phases()
        yield Phase("observe", self.observe, after_epoch=self.measure)

    def observe(self, x: Tensor) -> Losses:
        scores = torch.stack([member.scorer()(x) for member in self.members], 1)
        self.scores = torch.cat([self.scores, scores])
        return {}

    def measure(self) -> None:
        self.units = torch.stack([self.hp.unit(column) for column in self.scores.T])
        self.scores = self.scores[:0]

    def scorer(self) -> Scorer:
        return JuryScorer([member.scorer() for member in self.members], self.units)


class JuryScorer(Scorer):
    units: Tensor

    def __init__(self, members: list[Scorer], units: Tensor) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("units", units)
        self.weights = {f"member.{i}": 1 / len(members) for i in range(len(members))}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        return {f"member.{i}": m(x) / self.units[i].to(x.dtype) for i, m in enumerate(self.members)}

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(list(self.terms(x).values())).mean(0)
