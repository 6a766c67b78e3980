"""A plug-in that breaks one promise at a time: the distance to a learned mean image, and what its faults do to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer
from amiss.engine.descend import descend


@dataclass(frozen=True)
class Faulty(Method):
    """Settings."""

    fault: str = "none"
    """What is broken."""
    value: list[int] | None = None
    """A hyperparameter of a type that can change."""

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> FaultyLearner:
        if known is not None and self.fault != "ignores known anomalies":
            raise InputError("normal images only")
        return FaultyLearner(self.fault, spec)


class FaultyLearner(Learner):
    steps: Tensor

    def __init__(self, fault: str, spec: ImageSpec) -> None:
        super().__init__()
        self.fault = fault
        self.mean = nn.Parameter(torch.rand(spec.channels, spec.height, spec.width))
        self.held_out = fault != "asks for no held-out images"
        self.register_buffer("steps", torch.zeros(()))
        self.forgotten = 0
        self.hidden = [torch.optim.Adam([self.mean], lr=0.1)]
        if fault != "hides its optimizer":
            self.adam = self.hidden[0]

    def phases(self) -> Iterator[Phase]:
        yield Phase("mean", self.step, 30)
        yield Phase("more", self.step, 30)

    def step(self, x: Tensor) -> Losses:
        self.steps += 1
        self.forgotten += 1
        noise = torch.randn(()) if self.fault != "draws from NumPy" else torch.tensor(np.random.randn())
        if self.fault == "forgets":
            noise = noise + self.forgotten
        loss = (x - self.mean + 0.01 * noise.float()).square().mean()
        if self.fault != "does not learn":
            descend(loss, *self.hidden)
        return {"error": loss}

    def criterion(self, x: Tensor) -> Tensor:
        error = (x - self.mean).square()
        if self.fault == "criterion steps":
            self.steps += 1
        if self.fault == "criterion draws":
            torch.rand(())
        if self.fault == "criterion differentiates":
            error.mean().backward()
        return error if self.fault == "criterion is no scalar" else error.mean().detach()

    def scorer(self) -> Scorer:
        return FaultyScorer(self.fault, self.mean, int(self.steps))


class FaultyScorer(Scorer):
    def __init__(self, fault: str, mean: nn.Parameter, steps: int) -> None:
        super().__init__()
        self.fault, self.mean = fault, mean
        self.plain = steps
        self.weights = {"a": 1.0, "b": 2.0}
        self.differentiable = fault != "has no gradient and says so"
        self.exportable = fault != "does not export and says so"

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        error = (x - self.mean).square()
        a, b = error[:, :, ::2].flatten(1).mean(1), error[:, :, 1::2].flatten(1).mean(1)
        return {"a": a, "b": b / 2 if self.fault != "does not add up" else b, "alone": a}

    def forward(self, x: Tensor) -> Tensor:
        if self.fault == "changes the images":
            x.mul_(1.001)
        if self.fault == "draws":
            torch.rand(())
        if self.fault == "is random":
            x = x + 0.1 * torch.rand(())
        if self.fault == "has a wrong gradient":
            x = (x - 0.3).detach() + 0.3 * x / x.detach().clamp_min(0.01)
        if self.fault in ("has no gradient", "has no gradient and says so"):
            x = x.detach()
        if self.fault in ("does not export", "does not export and says so") and x.sum() > 0:
            x = x * 1.0
        error = (x - self.mean).square()
        score = error[:, :, ::2].flatten(1).mean(1) + error[:, :, 1::2].flatten(1).mean(1)
        if self.fault == "is upside down":
            score = -score
        if self.fault == "compares images":
            score = score - 1e-3 * score.mean()
        if self.fault == "gives a column":
            score = score[:, None]
        if self.fault == "gives its own type":
            score = score.float()
        if self.fault == "keeps a plain number":
            score = score * self.plain
        return score
