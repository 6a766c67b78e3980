from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered import Shelf, check_honest, labelled, state, values, with_values

from amiss.contracts import InputError
from amiss.data import sets
from amiss.protocols.leaks import leaks
from amiss.protocols.merged_share import COIL, SHARES, MergedShare

TRAIN, TEST = labelled([60, 200, 300], 0), labelled([40, 100, 50], 1000)
OBJECTS = labelled([20] * 10)
SHELF = Shelf({("set", "train"): TRAIN, ("set", "test"): TEST, ("coil", "all"): OBJECTS})
CLASS_OF = np.full(2000, -1)
CLASS_OF[:560], CLASS_OF[1000:1190] = TRAIN.labels, TEST.labels


@pytest.mark.parametrize("tau", SHARES)
def test_the_code_validates_with_as_many_anomalies_as_it_tests(tau: float) -> None:
    task = MergedShare("set", (0,), tau=tau).task(SHELF, 3)
    check_honest(task, CLASS_OF != 0)
    anomalies = int(20 * (1 - tau) / tau + 1e-9)
    assert len(task.train) == 60
    assert task.selection is not None
    for trial in (task.trials["test"], task.selection):
        assert np.bincount(trial.labels.reveal("metric")).tolist() == [20, anomalies]
    assert not set(values(task.selection.images)) & set(values(task.test))
    assert task.labels.reveal("metric").mean() == pytest.approx(1 - tau, abs=0.02)
    assert task.name == f"a against the rest, {tau:.0%} of the test normal"
    assert {v >= 1000 for v in values(task.train)} == {True, False}
    everywhere = np.concatenate([values(x) for x in (task.train, task.validation, task.test)])
    assert set(everywhere[CLASS_OF[everywhere] == 0]) == set(np.flatnonzero(CLASS_OF == 0))


def test_the_text_has_no_validation() -> None:
    task = MergedShare("set", (0, 2), train_share=0.8, validation_share=0).task(SHELF, 0)
    check_honest(task, CLASS_OF == 1)
    assert task.selection is None
    assert task.validation is None
    assert len(task.train) == 360
    assert np.bincount(task.labels.reveal("metric")).tolist() == [90, 90]


@pytest.mark.parametrize(("n", "tau"), COIL)
def test_coil_draws_its_normal_classes(n: int, tau: float) -> None:
    protocol = MergedShare("coil", None, n, tau, train_share=0.8, validation_share=0)
    drawn = set()
    for seed in range(20):
        task = protocol.task(SHELF, seed)
        own = np.unique(OBJECTS.labels[values(task.train)])
        assert len(own) == n
        check_honest(task, ~np.isin(np.append(OBJECTS.labels, []), own))
        assert len(task.train) == 16 * n
        assert np.bincount(task.labels.reveal("metric")).tolist() == [4 * n, int(4 * n * (1 - tau) / tau + 1e-9)]
        drawn.add(tuple(own))
    assert len(drawn) > 5


def test_the_seed_decides_and_tau_does_not_move_the_normal_images() -> None:
    first, again, other = (state(MergedShare("set", (0,)).task(SHELF, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]
    assert state(MergedShare("set", (0,), tau=0.9).task(SHELF, 1))[:2] == first[:2]


@given(copies=st.integers(1, 7), seed=st.integers(0, 100))
def test_copies_stand_on_one_side(copies: int, seed: int) -> None:
    shelf = Shelf({("set", "all"): with_values(TRAIN, np.arange(560) // copies)})
    task = MergedShare("set", (1,)).task(shelf, seed)
    assert leaks(task) == ()
    assert (task.dropped > 0) == (copies > 1)


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (MergedShare("set", (0, 3)), "there is no class 3"),
        (MergedShare("set", ()), "name at least one"),
        (MergedShare("set", (0, 0)), "each once"),
        (MergedShare("set", (0,), tau=1), "the share of normal images in the test is 1"),
        (MergedShare("set", (0,), train_share=0.8), "some must be left to test"),
        (MergedShare("set", (0,), validation_share=-0.1), "neither may be negative"),
        (MergedShare("set", None, 3), "3 normal classes were asked for: 1 to 2"),
        (MergedShare("set", (1,), tau=0.05), "anomalies to b were to be drawn from 450"),
    ],
)
def test_impossible_tasks_are_refused(protocol: MergedShare, said: str) -> None:
    with pytest.raises(InputError, match=said):
        protocol.task(SHELF, 0)


def test_coil_20_for_real(home: Path) -> None:
    def source(name, split, *, size):  # type: ignore[no-untyped-def]
        return sets.load(name, split, home, size=size)

    task = MergedShare("coil-20", None, 4, 0.75, 0.8, 0.0, 32).task(source, 0)
    assert (len(task.train), np.bincount(task.labels.reveal("metric")).tolist()) == (230, [58, 19])
    task = MergedShare("mnist", (8,), tau=0.5).task(source, 0)
    assert task.selection is not None
    counts = len(task.train), len(task.selection.images), len(task.test)
    assert (counts, task.dropped) == ((4095, 2730, 2730), 0)  # 6825 eights
    for t in (task,):
        assert t.labels.reveal("metric").mean() == 0.5
