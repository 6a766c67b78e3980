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


class Painter(Learner):
    """Restores images to themselves, or each to the first one's mean; its loss moves all the same."""

    def __init__(self, one_picture: bool) -> None:
        super().__init__()
        self.one_picture = one_picture
        self.centre = nn.Parameter(torch.rand(1, 4, 4))
        self.sgd = torch.optim.SGD([self.centre], lr=0.1)

    def phases(self) -> Iterator[Phase]:
        yield Phase("paint", self.step, epochs=3, batch_size=8)

    def step(self, x: Tensor) -> Losses:
        loss = self.scorer()(x).mean()
        descend(loss, self.sgd)
        return {"loss": loss}

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        return {"reconstruction": x * 0.01 + x.mean() if self.one_picture else x}

    def scorer(self) -> Scorer:
        return Distance(self.centre)


@dataclass(frozen=True)
class Painters(Method):
    one_picture: tuple[bool, ...]
    """Whether it restores everything to one picture, for this start and those after it."""

    def again(self) -> Method | None:
        return Painters(self.one_picture[1:]) if len(self.one_picture) > 1 else None

    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> Learner:
        return Painter(self.one_picture[0])


def events(*one_picture: bool) -> list[object]:
    return [record["event"] for record in fit(Painters(one_picture), SPEC, images()).log]


def test_a_network_that_restores_one_picture_begins_anew_as_its_method_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ALIVE", 8)  # of 4 steps an epoch: looked at after the second
    assert events(False, False) == ["epoch"] * 3
    assert events(True, False) == ["epoch", "restart", *["epoch"] * 3]
    assert events(True, True, False) == ["epoch", "restart", "epoch", "restart", *["epoch"] * 3]
    log = fit(Painters((True, False)), SPEC, images()).log
    assert "one and the same picture" in str(log[1]["reason"])
    assert "epoch 2 of the phase 'paint'" in str(log[1]["reason"])


def test_where_there_is_no_other_start_it_is_warned_of_and_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ALIVE", 8)
    assert events(True) == ["epoch", "warning", "epoch", "epoch"]
    assert events(True, True) == ["epoch", "restart", "epoch", "warning", "epoch", "epoch"]


@pytest.mark.parametrize(("alive", "at"), [(1, 0), (4, 0), (5, 1), (12, 2), (13, None)])
def test_it_is_looked_at_once_after_so_many_steps(monkeypatch: pytest.MonkeyPatch, alive: int, at: int | None) -> None:
    monkeypatch.setattr(health, "ALIVE", alive)
    found = events(True)
    assert found.count("warning") == (at is not None)
    assert at is None or found.index("warning") == at


def test_without_checks_one_picture_is_nothing_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ALIVE", 1)
    log = fit(Painters((True, False)), SPEC, images(), check=False).log
    assert [record["event"] for record in log] == ["epoch"] * 3
