from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numbered import Labelled, Shelf, images, state, values

from amiss.contracts import InputError
from amiss.data.catalogue.cure_tsr import CONDITIONS, SIGNS
from amiss.protocols.cure_tsr import GRADCON, CureTsr
from amiss.protocols.leaks import leaks


def signs(n: int, first: int) -> Labelled:
    """n signs of each of 3 types in every condition and level; the number tells all of it."""
    rows = [(0, 0), *((c, level) for c in range(1, 13) for level in range(1, 6))]
    tags = np.array([(c, level, i) for i in range(n) for c, level in rows for _ in range(3)], dtype=np.int64)
    labels = np.tile(np.arange(3), n * len(rows)).astype(np.int64)
    order = np.random.default_rng(first).permutation(len(labels))
    named = {name: tags[order, k] for k, name in enumerate(("condition", "level", "index"))}
    return Labelled(images(first + np.arange(len(labels))), labels[order], SIGNS, named)


TRAIN, TEST = signs(10, 0), signs(6, 10_000)
SHELF = Shelf({("cure-tsr", "train"): TRAIN, ("cure-tsr", "test"): TEST})


def test_a_trial_for_each_condition_and_level_of_the_same_signs() -> None:
    task = CureTsr().task(SHELF, 0)
    assert leaks(task) == ()
    assert list(task.trials)[:6] == [*(f"decolorization {level}" for level in range(1, 6)), "lens blur 1"]
    assert len(task.trials) == 40
    assert task.validation is not None
    learnt = np.concatenate([values(task.train), values(task.validation)])
    assert sorted(learnt) == np.flatnonzero(TRAIN.tags["condition"] == 0).tolist()
    assert len(task.validation) == 3
    for name, trial in task.trials.items():
        rows = values(trial.images) - 10_000
        free, under = rows[:18], rows[18:]
        assert trial.labels.reveal("metric").tolist() == [0] * 18 + [1] * 18
        assert (TEST.tags["condition"][free] == 0).all()
        found = {
            (CONDITIONS[c], n) for c, n in zip(TEST.tags["condition"][under], TEST.tags["level"][under], strict=True)
        }
        assert found == {(name[:-2], int(name[-1]))}
        for fact in (TEST.labels, TEST.tags["index"]):
            assert (fact[free] == fact[under]).all()


def test_a_limit_draws_the_same_signs_for_every_trial() -> None:
    task = CureTsr(("rain", "snow"), (1, 5), limit=7).task(SHELF, 1)
    chosen = {tuple(values(trial.images)[:7]) for trial in task.trials.values()}
    assert len(chosen) == 1
    assert all(len(trial.images) == 14 for trial in task.trials.values())
    assert state(task) == state(CureTsr(("rain", "snow"), (1, 5), limit=7).task(SHELF, 1))
    assert state(task) != state(CureTsr(("rain", "snow"), (1, 5), limit=7).task(SHELF, 2))
    assert len(CureTsr(("rain",), (1,), limit=99).task(SHELF, 1).test) == 36


def test_signs_that_are_not_there_under_a_condition_are_left_out() -> None:
    kept = np.flatnonzero((TEST.tags["condition"] != 9) | (TEST.tags["index"] != 2))
    few = replace(
        TEST,
        images=TEST.images.subset(kept),
        labels=TEST.labels[kept],
        tags={name: tag[kept] for name, tag in TEST.tags.items()},
    )
    task = CureTsr(("rain", "snow"), (2,)).task(Shelf({**SHELF.sides, ("cure-tsr", "test"): few}), 0)
    assert [len(trial.images) for trial in task.trials.values()] == [30, 36]


def test_impossible_tasks_are_refused() -> None:
    assert len(GRADCON) == 8
    for protocol, said in (
        (CureTsr(("fog",)), r"\['fog'\] are no conditions"),
        (CureTsr(("none",)), r"\['none'\] are no conditions"),
        (CureTsr(levels=(0,)), "levels from 1 to 5"),
        (CureTsr(()), "some of each are needed"),
        (CureTsr(limit=0), "0 challenge-free signs were to be drawn from 18"),
    ):
        with pytest.raises(InputError, match=said):
            protocol.task(SHELF, 0)
    free = np.flatnonzero(TEST.tags["condition"] == 0)
    only = replace(
        TEST,
        images=TEST.images.subset(free),
        labels=TEST.labels[free],
        tags={name: tag[free] for name, tag in TEST.tags.items()},
    )
    with pytest.raises(InputError, match="no test image of cure-tsr is there without a condition and under decolor"):
        CureTsr().task(Shelf({**SHELF.sides, ("cure-tsr", "test"): only}), 0)
