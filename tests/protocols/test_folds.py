from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered import Shelf, check_honest, labelled, state, values, with_values

from amiss.contracts import InputError
from amiss.data import sets
from amiss.data.images import Images
from amiss.protocols.folds import FOLDS, RATIOS, FiveFolds
from amiss.protocols.leaks import leaks

TRAIN, TEST = labelled([100, 80, 90], 0), labelled([40, 30, 50], 1000)
SHELF = Shelf({("set", "train"): TRAIN, ("set", "test"): TEST})
CLASS_OF = np.full(2000, -1)
CLASS_OF[:270], CLASS_OF[1000:1120] = TRAIN.labels, TEST.labels
TOTAL = (140, 110, 140)


@pytest.mark.parametrize("normal", [0, 1])
@pytest.mark.parametrize("percent", RATIOS)
def test_outliers_are_dropped_to_the_percentage(normal: int, percent: int) -> None:
    task = FiveFolds("set", normal, percent).task(SHELF, 3)
    check_honest(task, normal != CLASS_OF)
    fold = TOTAL[normal] // 5
    outliers = fold * percent // (100 - percent)
    assert task.selection is not None
    for trial in (task.trials["test"], task.selection):
        assert np.bincount(trial.labels.reveal("metric")).tolist() == [fold, outliers]
        assert len(set(values(trial.images))) == fold + outliers
    assert len(task.train) == 3 * fold
    assert task.dropped == 0
    assert task.name == f"{'ab'[normal]} against the rest, five folds" + (
        "" if percent == 50 else f", {percent} % outliers"
    )
    everywhere = np.concatenate([values(x) for x in (task.train, task.validation, task.test)])
    assert set(everywhere[CLASS_OF[everywhere] == normal]) == set(np.flatnonzero(normal == CLASS_OF))
    assert {v >= 1000 for v in values(task.train)} == {True, False}


@pytest.mark.parametrize("percent", [1, *RATIOS, 80, 95])
def test_the_scarcer_side_is_repeated_to_the_percentage(percent: int) -> None:
    task = FiveFolds("set", 0, percent, "duplicate").task(SHELF, 3)
    check_honest(task, CLASS_OF != 0)
    y = task.labels.reveal("metric")
    others = 110 // 5 + 140 // 5
    assert (y == 0).sum() == (28 if percent > 64 else others * (100 - percent) // percent)
    assert (y == 1).sum() == (others if percent <= 64 else 28 * percent // (100 - percent))
    assert y.mean() == pytest.approx(percent / 100, abs=0.01)
    for side, distinct in ((0, 28), (1, others)):
        copies = np.unique(values(task.test)[y == side], return_counts=True)[1]
        assert len(copies) == min(distinct, (y == side).sum())
        assert copies.max() - copies.min() <= 1


def test_turns_test_every_normal_image_once() -> None:
    tasks = [FiveFolds("set", 0, turn=turn).task(SHELF, 5) for turn in range(FOLDS)]
    tested = [set(values(t.test)[t.labels.reveal("metric") == 0]) for t in tasks]
    assert sum(map(len, tested)) == 140
    assert set.union(*tested) == set(np.flatnonzero(CLASS_OF == 0))
    assert len({t.name for t in tasks}) == FOLDS
    assert set(values(tasks[1].validation)) == tested[0]


def test_the_seed_decides_and_the_percentage_does_not_move_the_folds() -> None:
    first, again, other = (state(FiveFolds("set", 0, 30).task(SHELF, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]
    assert state(FiveFolds("set", 0, 10).task(SHELF, 1))[:2] == first[:2]


@given(copies=st.integers(1, 6), percent=st.sampled_from(RATIOS), duplicate=st.booleans(), seed=st.integers(0, 100))
def test_copies_stand_on_one_side_furthest_towards_the_test(
    copies: int, percent: int, duplicate: bool, seed: int
) -> None:
    shelf = Shelf({("set", "train"): with_values(TRAIN, np.arange(270) // copies), ("set", "test"): TEST})
    fill = "duplicate" if duplicate else "drop"
    task = FiveFolds("set", 0, percent, fill).task(shelf, seed)  # type: ignore[arg-type]
    assert leaks(task) == ()
    plain = FiveFolds("set", 0, percent, fill).task(SHELF, seed)  # type: ignore[arg-type]
    assert len(task.test) == len(plain.test)
    assert task.selection is not None
    assert plain.selection is not None
    lost = len(plain.train) - len(task.train) + len(plain.selection.images) - len(task.selection.images)
    assert task.dropped == lost
    assert (lost > 0) == (copies > 1)


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (FiveFolds("set", 3), "there is no class 3: the classes are 0 to 2"),
        (FiveFolds("set", 0, 0), "0 % outliers"),
        (FiveFolds("set", 0, turn=5), "turn 5"),
        (FiveFolds("set", 0, 90), "outliers to a were to be drawn from"),
        (FiveFolds("alone", 0), "0 others"),
    ],
)
def test_impossible_tasks_are_refused(protocol: FiveFolds, said: str) -> None:
    shelf = Shelf({**SHELF.sides, ("alone", "all"): labelled([30])})
    with pytest.raises(InputError, match=said):
        protocol.task(shelf, 0)


def digest(given: Images | None) -> str:
    assert given is not None
    return hashlib.blake2b(b"".join(given.digests().tolist()), digest_size=8).hexdigest()


STORED = {  # training, validation and test as stored results were measured on
    (0, 0): ("c90430322b02b6d2", "a56c1285e0701c96", "23ae4dbafee0f590"),
    (0, 1): ("78ee277a0db61226", "5415a90851c9a405", "9c39ff3d153a4fac"),
    (6, 0): ("744a025a3ccdab4f", "cf04d30973417ffa", "af24d64b1bc2be72"),
    (6, 1): ("0c82f3227ccfe59e", "c83141300ccaee2a", "d8d27b78347cb4b3"),
}


def test_splits_of_fashion_mnist_are_those_of_stored_results(home: Path) -> None:
    source = cache(lambda name, split, *, size: sets.load(name, split, home, size=size))
    for (normal, seed), expected in STORED.items():
        task = FiveFolds("fashion-mnist", normal).task(source, seed)
        assert (digest(task.train), digest(task.validation), digest(task.test)) == expected
        assert (len(task.train), len(task.test), task.dropped) == (4200, 2800, 0)
        assert leaks(task) == ()
