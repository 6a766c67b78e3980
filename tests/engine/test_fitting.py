"""Epochs, order, selection, caps and exact resume."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from lines import SPEC, InterruptedFit, Line, LineScorer, Makes, interrupting, numbered, numbers, run
from torch import nn

from amiss.contracts import InputError, Learner, Phase, WorkError
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.engine.workdir import Workdir


class Watching(Line):
    """Notes which images each step sees, in which phase and epoch."""

    def __init__(self, spec, drawing=False):
        super().__init__(spec, epochs=2)
        self.drawing = drawing
        self.seen = {}
        self.clocks = []

    def phases(self):
        for name in ("first", "second"):
            yield Phase(name, lambda x, name=name: self.watch(name, x), 2, 4)

    def watch(self, name, x):
        if self.drawing:
            torch.rand(7)
            np.random.default_rng().random(3)
        self.clocks.append(self.clock)
        self.seen.setdefault((name, int(self.clock)), []).append(numbers(x))
        return {}


def order_of(learner):
    return {where: [i for batch in batches for i in batch] for where, batches in learner.seen.items()}


def test_the_order_depends_only_on_seed_phase_and_epoch():
    orders = order_of(run(Watching)[1])
    assert sorted(orders) == [("first", 0), ("first", 1), ("second", 0), ("second", 1)]
    assert all(sorted(seen) == list(range(10)) for seen in orders.values())
    assert len({tuple(seen) for seen in orders.values()}) == 4
    assert order_of(run(lambda spec: Watching(spec, drawing=True))[1]) == orders
    assert all(a != b for a, b in zip(order_of(run(Watching, seed=1)[1]).values(), orders.values(), strict=True))


def test_the_clock_counts_epochs_with_fractions():
    _, learner = run(Watching)
    assert learner.clocks == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3] * 2)
    assert learner.clock == 2.0


@pytest.mark.parametrize(("steps", "epochs"), [(0, 2), (6, 2), (7, 3), (12, 4), (13, 5)])
def test_a_phase_makes_as_many_epochs_as_its_least_number_of_steps_needs(steps, epochs):
    class Long(Watching):
        def phases(self):
            yield Phase("only", lambda x: self.watch("only", x), 2, 4, steps=steps)

    _, learner = run(Long)  # 3 steps an epoch
    assert len(order_of(learner)) == epochs
    _, capped = run(Long, max_epochs=1)
    assert len(order_of(capped)) == 1


def test_the_elapsed_share_covers_a_phase_however_long_it_is():
    class Sharing(Watching):
        def watch(self, name, x):
            self.clocks.append(self.elapsed)
            return {}

    for cap in (None, 1):
        _, learner = run(Sharing, max_epochs=cap)
        steps = 6 if cap is None else 3
        assert learner.clocks == pytest.approx([i / steps for i in range(steps)] * 2)
        assert learner.elapsed == 1.0


class Taught(Line):
    """Keeps the known anomalies that it is given."""

    def __init__(self, spec, known):
        super().__init__(spec)
        self.known = known


@dataclass(frozen=True)
class Teaches(Makes):
    """A method that needs known anomalies."""

    @property
    def semi_supervised(self):
        return True

    def learner(self, spec, known=None):
        self.made.append(Taught(spec, known))
        return self.made[-1]


def test_known_anomalies_reach_a_semi_supervised_learner_in_unit_range():
    method = Teaches(Line)
    fit(method, SPEC, numbered(10), known=numbered(3, start=500), runtime=Runtime("cpu"))
    assert numbers(method.made[0].known) == [500, 501, 502]


@pytest.mark.parametrize("known", [None, numbered(0)])
def test_a_semi_supervised_method_without_anomalies_says_what_it_needs(known):
    with pytest.raises(InputError, match="Teaches with these settings learns from known anomalies too: give some"):
        fit(Teaches(Line), SPEC, numbered(10), known=known, runtime=Runtime("cpu"))


class Batching(Line):
    def __init__(self, spec, drop_last, size=4):
        super().__init__(spec)
        self.drop_last, self.size, self.sizes = drop_last, size, []

    def phases(self):
        yield Phase("only", self.watch, 1, self.size, drop_last=self.drop_last)

    def watch(self, x):
        self.sizes.append(len(x))
        return {}


@pytest.mark.parametrize(
    ("n", "drop_last", "sizes"),
    [(10, False, [4, 4, 2]), (10, True, [4, 4]), (8, True, [4, 4]), (8, False, [4, 4]), (3, False, [3])],
)
def test_drop_last_leaves_out_only_a_short_batch(n, drop_last, sizes):
    assert run(lambda spec: Batching(spec, drop_last), numbered(n))[1].sizes == sizes


def test_fewer_images_than_a_whole_batch_are_too_few_with_drop_last():
    with pytest.raises(WorkError, match=r"'only' needs at least 4 images a batch, got 3"):
        run(lambda spec: Batching(spec, drop_last=True), numbered(3))


def test_losses_are_logged_as_means_over_images():
    class Sized(Batching):
        def watch(self, x):
            return {"size": torch.tensor(float(len(x))), "number": torch.tensor(float(np.mean(numbers(x))))}

    (record,) = [r for r in run(lambda spec: Sized(spec, drop_last=False))[0].log if r["event"] == "epoch"]
    assert record["losses"] == pytest.approx({"size": (4 * 4 + 4 * 4 + 2 * 2) / 10, "number": 4.5})
    assert (record["phase"], record["epoch"]) == ("only", 1)


def test_the_checkpoint_is_written_after_after_epoch(tmp_path):
    with pytest.raises(InterruptedFit):
        run(workdir=tmp_path, progress=interrupting(7))
    state, log = Workdir(tmp_path).load()
    assert (state["phase"], state["epochs"]) == (0, 2)
    assert state["module"]["epochs_seen"].item() == 2
    assert state["steppers"]["schedule"]["last_epoch"] == 2
    assert [r["epoch"] for r in log] == [1, 2]


class Choosing(Line):
    """Its weight is the number of epochs done; its criterion is read from a list."""

    held_out = True

    def __init__(self, spec, values):
        super().__init__(spec)
        self.values = values
        self.level = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.trained, self.judged, self.modes = [], [], set()

    def phases(self):
        yield Phase("choose", self.learn, len(self.values), 4, after_epoch=self.rise)

    def learn(self, x):
        self.trained += numbers(x)
        return {}

    def rise(self):
        self.level += 1

    def criterion(self, x):
        self.judged += numbers(x)
        self.modes.add((self.training, torch.is_grad_enabled()))
        return torch.tensor(self.values[int(self.level) - 1])

    def scorer(self):
        scorer = LineScorer(self.net)
        scorer.level = self.level
        return scorer


@pytest.mark.parametrize(("values", "best"), [([3.0, 1.0, 2.0], 2), ([1.0, 2.0, 3.0], 1), ([2.0, 1.0, 1.0], 2)])
def test_selection_restores_the_first_epoch_with_the_lowest_criterion(values, best):
    fitted, _ = run(lambda spec: Choosing(spec, values), held_out=numbered(6, 500))
    assert fitted.scorer.level.item() == best
    assert [r["criterion"] for r in fitted.log if r["event"] == "epoch"] == values
    assert fitted.log[-1] == {"event": "select", "phase": "choose", "criterion": min(values)}


def test_selection_sees_held_out_images_only_and_steps_never_do():
    _, learner = run(lambda spec: Choosing(spec, [2.0, 1.0]), held_out=numbered(6, 500))
    assert sorted(learner.trained) == sorted(2 * list(range(10)))
    assert learner.judged == 2 * list(range(500, 506))
    assert learner.modes == {(False, True)}


def test_what_looks_at_labels_is_logged_and_does_not_select():
    told = iter([0.1, 0.2, 0.9])
    fitted, _ = run(
        lambda spec: Choosing(spec, [1.0, 2.0, 3.0]), held_out=numbered(6, 500), on_epoch=lambda scorer: next(told)
    )
    assert [r["on_epoch"] for r in fitted.log if r["event"] == "epoch"] == [0.1, 0.2, 0.9]
    assert fitted.scorer.level.item() == 1


def test_a_look_at_labels_can_choose_the_epoch_where_it_is_asked_to():
    told = iter([0.1, 0.9, 0.2])
    fitted, _ = run(
        lambda spec: Choosing(spec, [1.0, 2.0, 3.0]),
        held_out=numbered(6, 500),
        on_epoch=lambda scorer: next(told),
        choose=True,
    )
    assert [r["criterion"] for r in fitted.log if r["event"] == "epoch"] == [1.0, 2.0, 3.0]
    assert fitted.scorer.level.item() == 2
    assert [r for r in fitted.log if r["event"] == "select"] == [
        {"event": "select", "phase": "choose", "criterion": -0.9}
    ]


def test_a_look_may_be_taken_after_the_last_epochs_alone():
    kept = []
    fitted, _ = run(
        lambda spec: Choosing(spec, [1.0, 2.0, 3.0]),
        held_out=numbered(6, 500),
        on_epoch=lambda scorer: kept.append(scorer) or 0.5,
        on_last=2,
    )
    assert len(kept) == 2
    assert ["on_epoch" in r for r in fitted.log if r["event"] == "epoch"] == [False, True, True]


def test_on_epoch_is_given_a_frozen_copy_that_training_does_not_change():
    kept = []
    _, learner = run(on_epoch=lambda scorer: kept.append(scorer) or 0.0)
    weights = [scorer.net[0].weight for scorer in kept]
    assert len(kept) == 6
    assert not any(p.requires_grad for scorer in kept for p in scorer.parameters())
    assert not any(scorer.training for scorer in kept)
    assert all(not torch.equal(a, b) for a, b in pairwise(weights))
    assert torch.equal(weights[-1], learner.net[0].weight)


def test_a_criterion_that_is_not_finite_is_a_breakdown():
    with pytest.raises(WorkError, match=r"'held-out criterion' is nan"):
        run(lambda spec: Choosing(spec, [1.0, float("nan")]), held_out=numbered(6, 500))


def test_a_learner_that_asks_for_held_out_images_gets_them_or_says_so():
    with pytest.raises(WorkError, match=r"'choose' needs normal images held out of training, and none were given"):
        run(lambda spec: Choosing(spec, [1.0]))


class Observing(Line):
    def __init__(self, spec):
        super().__init__(spec)
        self.seen = []

    def phases(self):
        yield Phase("train", self.step, 1, 4)
        yield Phase("observe", self.observe, 1, 4, on="held_out")

    def observe(self, x):
        self.seen += numbers(x)
        return {}


def test_a_held_out_phase_visits_the_held_out_images():
    assert sorted(run(Observing, held_out=numbered(6, 500))[1].seen) == list(range(500, 506))
    with pytest.raises(WorkError, match=r"'observe' needs normal images held out"):
        run(Observing)


def test_max_epochs_caps_every_phase_and_raises_none():
    def epochs(cap):
        fitted, learner = run(max_epochs=cap, check=False)
        return [(r["phase"], r["epoch"]) for r in fitted.log if r["event"] == "epoch"], learner.epochs_seen.item()

    assert epochs(1) == ([("first", 1), ("second", 1)], 2)
    assert epochs(99) == epochs(None)
    assert epochs(None)[1] == 6
    assert epochs(0) == ([], 0)


def test_no_epochs_leave_the_initial_weights_of_the_seed():
    untrained = run(max_epochs=0)[0].scorer.net[0].weight
    assert torch.equal(untrained, run(max_epochs=0)[0].scorer.net[0].weight)
    assert not torch.equal(untrained, run(max_epochs=0, seed=1)[0].scorer.net[0].weight)
    assert not torch.equal(untrained, run()[0].scorer.net[0].weight)


def test_a_fit_is_the_same_whatever_ran_before_and_leaves_the_random_state():
    first = run()[0].scorer.state_dict()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    second = run()[0].scorer.state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_random_state_is_given_back_when_a_fit_breaks_down():
    before = torch.get_rng_state()
    with pytest.raises(InterruptedFit):
        run(progress=interrupting(2))
    assert torch.equal(before, torch.get_rng_state())


def test_the_scorer_is_frozen_and_apart_from_the_learner():
    fitted, learner = run()
    before = fitted.scorer.net[0].weight.clone()
    with torch.no_grad():
        learner.net[0].weight.zero_()
    assert torch.equal(fitted.scorer.net[0].weight, before)
    assert not fitted.scorer.training
    assert not any(p.requires_grad for p in fitted.scorer.parameters())


def test_progress_tells_every_step_of_every_phase():
    told = []
    log = run(progress=lambda *event: told.append(event))[0].log
    assert [done for _, done, _, _ in told] == 2 * list(range(1, 10))
    assert {total for _, _, total, _ in told} == {9}
    assert [told[0][0], told[-1][0]] == ["training (first)", "training (second)"]
    losses = [record["losses"] for record in log if record["event"] == "epoch"]
    said = ["".join(f", {name} {value:.4g}" for name, value in epoch.items()) for epoch in losses]
    assert len(set(said)) == 6
    first, _, _, second, *_ = said  # losses of the last epoch of a phase come too late
    expected = ["epoch 1", f"epoch 2{first}", f"epoch 3{said[1]}", "epoch 1", f"epoch 2{second}", f"epoch 3{said[4]}"]
    assert [detail for _, _, _, detail in told] == [detail for detail in expected for _ in range(3)]


def test_bfloat16_holds_for_steps_only():
    kinds = []

    class Narrow(Line):
        def step(self, x):
            kinds.append(self.net(x.flatten(1)).dtype)
            return super().step(x)

    fitted = fit(Makes(Narrow), SPEC, numbered(10), runtime=Runtime("cpu", "bfloat16"))
    assert set(kinds) == {torch.bfloat16}
    assert fitted.scorer(torch.rand(3, 1, 2, 2)).dtype == torch.float32


def test_the_log_is_json(tmp_path):
    fitted, _ = run(lambda spec: Choosing(spec, [2.0, 1.0]), held_out=numbered(6, 500), workdir=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [r for r in fitted.log if r["event"] == "epoch"]
    assert json.loads(json.dumps(fitted.log)) == fitted.log


class Tempering(Line):
    """Trains between phases too, with the same optimizer, and selects."""

    held_out = True

    def phases(self):
        yield Phase("first", self.step, self.epochs, 4, after_epoch=self.end)
        for _ in range(3):
            self.step(torch.rand(4, 1, 2, 2))
        yield Phase("second", self.step, self.epochs, 4, after_epoch=self.end)

    def criterion(self, x):
        x = x.flatten(1)
        return (self.net(x) - x).square().mean()


@pytest.mark.parametrize("make", [Line, Tempering])
@pytest.mark.parametrize("step", range(18))
def test_interrupted_after_any_step_a_fit_resumes_to_the_same_bits(tmp_path, make, step):
    held_out = numbered(6, 500)
    whole, learner = run(make, held_out=held_out)
    with pytest.raises(InterruptedFit):
        run(make, held_out=held_out, workdir=tmp_path, progress=interrupting(step))
    told = []
    resumed, again = run(make, held_out=held_out, workdir=tmp_path, progress=lambda *event: told.append(event))
    for name, value in learner.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert again.schedule.state_dict() == learner.schedule.state_dict()
    assert [(r["phase"], r["epoch"]) for r in resumed.log if r["event"] == "epoch"] == [
        (r["phase"], r["epoch"]) for r in whole.log if r["event"] == "epoch"
    ]
    assert len(told) == 18 - step // 3 * 3
    assert [r["epochs_kept"] for r in resumed.log if r["event"] == "resume"] == (
        [] if step < 3 else [(step // 3 - 1) % 3 + 1]
    )


def test_a_finished_checkpoint_needs_no_step_more(tmp_path):
    whole, _ = run(workdir=tmp_path)
    resumed, _ = run(workdir=tmp_path, progress=interrupting(0))
    assert all(torch.equal(a, b) for a, b in zip(whole.scorer.parameters(), resumed.scorer.parameters(), strict=True))


def test_a_learner_without_phases_only_scores():
    class Idle(Line):
        def phases(self):
            return iter(())

    fitted, _ = run(Idle)
    assert fitted.log == []


def test_contract_defaults_keep_the_last_epoch():
    assert Learner.criterion(run()[1], torch.zeros(1)) is None
    fitted, learner = run(held_out=numbered(6, 500))
    assert "criterion" not in fitted.log[0]
    assert torch.equal(fitted.scorer.net[0].weight, learner.net[0].weight)


def test_nothing_is_written_without_a_workdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run()
    assert not list(Path(tmp_path).iterdir())
