"""Members inside a learner: their time, their own selection, resuming, known anomalies, and their scores."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from lines import SPEC, InterruptedFit, interrupting, numbered, numbers, run
from torch import nn

from amiss.contracts import ImageSpec, InputError, Learner, Method, Phase, Scorer, WorkError
from amiss.engine.fitting import fit
from amiss.engine.health import check_vitals
from amiss.engine.nested import Members, ScoreMemory, uses_known
from amiss.engine.runtime import Runtime


class FirstPixel(Scorer):
    """An image's number over 1,000, times what was learnt."""

    def __init__(self, w):
        super().__init__()
        self.w = w

    def forward(self, x):
        return x[:, 0, 0, 0] * self.w


class Counting(Learner):
    """Its weight counts epochs; held-out images like it best when it is `target`."""

    def __init__(self, method, known):
        super().__init__()
        self.method, self.known, self.seen = method, known, []
        self.held_out = method.target is not None
        self.w = nn.Parameter(torch.zeros(()))
        self.noise = nn.Parameter(torch.zeros(()))

    def phases(self):
        yield Phase("count", self.step, self.method.epochs, 4, after_epoch=self.end)

    def step(self, x):
        self.seen.append((self.clock, self.elapsed, self.training))
        with torch.no_grad():
            self.noise += torch.randn(())
        return {}

    def end(self):
        self.seen.append((self.clock, self.elapsed))
        with torch.no_grad():
            self.w += 1

    def criterion(self, x):
        return (self.w - self.method.target).detach().square()

    def vitals(self, x):
        return {"latent": self.method.spread * x.flatten(1) + 1}

    def scorer(self):
        return FirstPixel(self.w)


@dataclass(frozen=True)
class Count(Method):
    target: int | None = None
    epochs: int = 4
    spread: float = 1.0
    semi: bool = False

    @property
    def semi_supervised(self):
        return self.semi

    def learner(self, spec, known=None):
        return Counting(self, known)


class Outer(Learner):
    """Members, and their scores of held-out images."""

    def __init__(self, methods, spec, known=None):
        super().__init__()
        self.members = Members(methods, spec, known)
        self.memory = ScoreMemory(len(methods))
        self.held_out = True
        self.scores = None

    def phases(self):
        yield from self.members.phases(self)
        yield self.memory.phase(self, self.members, self.keep)

    def keep(self, scores):
        self.scores = scores

    def criterion(self, x):
        return self.members.criterion(x)

    def vitals(self, x):
        return self.members.vitals(x)

    def scorer(self):
        return self.members.scorers()[0]


THREE = (Count(target=2), Count(epochs=3), Count(target=1))


def fitted(methods=THREE, held_out=6, **rest):
    return run(lambda spec: Outer(methods, spec), held_out=numbered(held_out, 500), check=False, **rest)


def weights(outer):
    return [learner.w.item() for learner in outer.members.each]


def test_every_member_is_selected_by_its_own_criterion_in_its_own_phases():
    fit_, outer = fitted()
    assert weights(outer) == [2, 3, 1]  # the second has no criterion: it keeps its last epoch
    criteria = [record.get("criterion") for record in fit_.log if record["event"] == "epoch"]
    assert criteria == [1, 0, 1, 4, None, None, None, 0, 1, 4, 9, None]
    assert outer.members.criterion(torch.zeros(1)) is None


def test_a_criterion_without_the_wish_for_held_out_images_is_not_asked():
    members = Members([Count(target=2)], SPEC, None)
    members.running = 0
    assert members.criterion(torch.zeros(1)) == 4
    members.each[0].held_out = False
    assert members.criterion(torch.zeros(1)) is None


def test_a_finished_member_is_left_alone():
    alone = fitted(THREE[:1])[1].members.each[0].state_dict()
    among = fitted()[1].members.each[0].state_dict()
    assert {name: value.item() for name, value in among.items()} == {
        name: value.item() for name, value in alone.items()
    }


def test_members_see_the_time_of_their_own_phases():
    _, outer = fitted((Count(epochs=2), Count(epochs=4)))
    first, second = (learner.seen for learner in outer.members.each)
    assert first[:4] == [(0, 0, True), (1 / 3, 1 / 6, True), (2 / 3, 1 / 3, True), (1, 0.5)]
    assert first[-1] == (2, 1)
    assert [entry for entry in second if len(entry) == 2] == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1)]


def test_phases_carry_the_number_of_their_member():
    fit_, _ = fitted()
    names = [record["phase"] for record in fit_.log if record["event"] == "epoch"]
    assert list(dict.fromkeys(names)) == ["member 1: count", "member 2: count", "member 3: count", "reference scores"]


@pytest.mark.parametrize("after", [2, 13, 20, 28, 33])
def test_an_interrupted_fit_resumes_to_the_same_members(tmp_path, after):
    _, whole = fitted()
    with pytest.raises(InterruptedFit):
        fitted(workdir=tmp_path, progress=interrupting(after))
    _, resumed = fitted(workdir=tmp_path)
    a, b = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(whole.scores, resumed.scores)


def test_scores_of_held_out_images_are_kept_by_member_and_forgotten():
    _, outer = fitted()
    assert outer.scores.shape == (3, 6)
    found = outer.scores[1] / 3
    assert sorted(numbers(found[:, None, None, None])) == [500, 501, 502, 503, 504, 505]
    torch.testing.assert_close(outer.scores, torch.stack([found * w for w in (2, 3, 1)]))
    assert outer.memory.kept.shape == (0, 3)


def test_reference_scores_are_taken_in_float32():
    class Matrix(Scorer):
        def forward(self, x):
            return (x.flatten(1) @ torch.full((4, 1), 0.3))[:, 0]

    class Inner(Count):
        def learner(self, spec, known=None):
            made = Counting(self, known)
            made.scorer = Matrix
            return made

    held_out = numbered(6, 500)
    made = []

    def outer(spec):
        made.append(Outer([Inner(epochs=1)], spec))
        return made[0]

    @dataclass(frozen=True)
    class Makes(Method):
        def learner(self, spec, known=None):
            return outer(spec)

    fit(Makes(), SPEC, numbered(10), held_out, runtime=Runtime("cpu", "bfloat16"), check=False)
    expected = Matrix()(torch.from_numpy(held_out.take(range(6)).numpy()))
    torch.testing.assert_close(made[0].scores[0].sort().values, expected.sort().values, rtol=1e-6, atol=0)


def test_one_held_out_image_is_too_few():
    with pytest.raises(WorkError, match="1 held-out normal image: give at least 2"):
        fitted(held_out=1)


def test_known_anomalies_go_to_those_members_that_use_them():
    known = torch.rand(3, 1, 2, 2)
    members = Members([Count(), Count(semi=True)], SPEC, known)
    assert members.each[0].known is None
    assert members.each[1].known is known
    assert uses_known([Count(), Count(semi=True)])
    assert not uses_known([Count()])
    with pytest.raises(InputError, match="normal images only"):
        Members([Count()], SPEC, known)


def test_no_members_are_refused():
    with pytest.raises(InputError, match="give at least one member"):
        Members([], ImageSpec(1, 2, 2), None)


def test_one_collapsed_member_of_several_is_found():
    outer = Outer([Count(), Count(spread=1e-6)], SPEC)
    x = torch.rand(8, 1, 2, 2)
    assert list(outer.vitals(x)) == ["1.latent", "2.latent"]
    with pytest.raises(WorkError, match="latent code collapsed"):
        check_vitals(outer, x)
    check_vitals(Outer([Count(), Count()], SPEC), x)
