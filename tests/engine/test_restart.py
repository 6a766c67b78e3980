"""Training that stands still begins anew from other initial weights, says so, and resumes to the same end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, Learner, Losses, Method, Phase, Scorer
from amiss.data.images import Images
from amiss.engine import fitting, health
from amiss.engine.descend import descend
from amiss.engine.fitting import fit

SPEC = ImageSpec(1, 4, 4)


class Distance(Scorer):
    def __init__(self, centre: nn.Parameter) -> None:
        super().__init__()
        self.centre = centre

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.centre).square().flatten(1).mean(1)


class Mortal(Learner):
    """Learns a centre by gradients that are zero for some initial weights, as behind a saturated sigmoid."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.alive = bool(torch.rand(()) > share)
        self.centre = nn.Parameter(torch.rand(1, 4, 4))
        self.sgd = torch.optim.SGD([self.centre], lr=0.1)
        self.first = True

    def phases(self) -> Iterator[Phase]:
        yield Phase("centre", self.step, epochs=4, batch_size=8)

    def step(self, x: Tensor) -> Losses:
        loss = self.scorer()(x).mean()
        moves = self.alive or self.first  # a dead network moves at first, too
        self.first = False
        descend(loss if moves else loss * 0, self.sgd)
        return {"loss": loss if self.alive else torch.tensor(0.5)}

    def scorer(self) -> Scorer:
        return Distance(self.centre)


@dataclass(frozen=True)
class Mortals(Method):
    share: float

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> Learner:
        return Mortal(self.share)


def images() -> Images:
    return Images(np.random.default_rng(0).integers(0, 256, (32, 1, 4, 4), dtype=np.uint8))


def test_a_dead_start_is_followed_by_another() -> None:
    log = fit(Mortals(0.8), SPEC, images()).log
    events = [record["event"] for record in log]
    assert events.count("restart") >= 1
    assert events[-4:] == ["epoch"] * 4
    assert "stands still in epoch 2" in str(next(r["reason"] for r in log if r["event"] == "restart"))


def test_a_living_start_is_kept() -> None:
    assert [record["event"] for record in fit(Mortals(0.0), SPEC, images()).log] == ["epoch"] * 4


def test_at_last_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "RESTARTS", 3)
    with pytest.raises(health.StallError, match="stands still"):
        fit(Mortals(1.0), SPEC, images())


def test_without_checks_it_runs_to_the_end() -> None:
    assert [record["event"] for record in fit(Mortals(1.0), SPEC, images(), check=False).log] == ["epoch"] * 4


@pytest.mark.parametrize("kill_at", [3, 6, 9, 14])
def test_resume_across_a_restart_ends_with_the_same_weights(tmp_path: Path, kill_at: int) -> None:
    straight = fit(Mortals(0.8), SPEC, images())
    steps = 0

    def interrupt(what: str, done: int, total: int, detail: str) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Mortals(0.8), SPEC, images(), workdir=tmp_path, progress=interrupt)
    resumed = fit(Mortals(0.8), SPEC, images(), workdir=tmp_path)
    assert torch.equal(resumed.scorer.state_dict()["centre"], straight.scorer.state_dict()["centre"])
