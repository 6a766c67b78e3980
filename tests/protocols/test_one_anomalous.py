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
from amiss.protocols.one_anomalous import OneAnomalous

TRAIN, TEST = labelled([60, 100, 80], 0), labelled([20, 40, 20], 1000)
SHELF = Shelf({("set", "train"): TRAIN, ("set", "test"): TEST, ("one", "train"): TRAIN, ("one", "test"): TEST})
CLASS_OF = np.full(2000, -1)
CLASS_OF[:240], CLASS_OF[1000:1080] = TRAIN.labels, TEST.labels


def test_egbad_tests_a_fifth_and_every_anomaly() -> None:
    task = OneAnomalous("set", 0).task(SHELF, 3)
    check_honest(task, CLASS_OF == 0)
    assert len(task.train) == 192  # of 240
    assert np.bincount(task.labels.reveal("metric")).tolist() == [48, 80]
    assert (task.selection, task.validation, task.dropped) == (None, None, 0)
    assert task.name == "a among the others, split as egbad"


def test_fence_gan_selects_with_a_quarter_of_the_anomalies() -> None:
    task = OneAnomalous("set", 0, "fence_gan").task(SHELF, 3)
    check_honest(task, CLASS_OF == 0)
    assert len(task.train) == 192
    assert np.bincount(task.labels.reveal("metric")).tolist() == [36, 60]
    assert task.selection is not None
    assert np.bincount(task.selection.labels.reveal("metric")).tolist() == [12, 20]
    assert not set(values(task.test)) & set(values(task.selection.images))


def test_official_sides_are_left_as_they_are() -> None:
    task = OneAnomalous("set", 1, "official").task(SHELF, 3)
    check_honest(task, CLASS_OF == 1)
    assert values(task.train).tolist() == np.flatnonzero(TRAIN.labels != 1).tolist()
    assert values(task.test).tolist() == list(range(1000, 1080))
    assert state(OneAnomalous("set", 1, "official").task(SHELF, 4)) == state(task)


@pytest.mark.parametrize("style", ["egbad", "fence_gan"])
def test_the_seed_decides(style: str) -> None:
    protocol = OneAnomalous("set", 2, style)  # type: ignore[arg-type]
    first, again, other = (state(protocol.task(SHELF, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]


@given(copies=st.integers(1, 5), style=st.sampled_from(["egbad", "fence_gan", "official"]), seed=st.integers(0, 50))
def test_copies_stand_on_one_side(copies: int, style: str, seed: int) -> None:
    sides = {
        ("set", "train"): with_values(TRAIN, np.arange(240) // copies),
        ("set", "test"): with_values(TEST, np.arange(40, 120)),
    }
    task = OneAnomalous("set", 0, style).task(Shelf(sides), seed)  # type: ignore[arg-type]
    assert leaks(task) == ()
    assert task.dropped > 0


def test_impossible_tasks_are_refused() -> None:
    for style in ("egbad", "official"):
        with pytest.raises(InputError, match="there is no class 3"):
            OneAnomalous("set", 3, style).task(SHELF, 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no style 'other'"):
        OneAnomalous("set", 0, "other").task(SHELF, 0)  # type: ignore[arg-type]
    alone = Shelf({("set", side): labelled([3], i) for i, side in enumerate(("train", "test"))})
    with pytest.raises(InputError, match="are too few for this split"):
        OneAnomalous("set", 0).task(alone, 0)
    with pytest.raises(InputError, match="every test image is of class a"):
        OneAnomalous("set", 0, "official").task(alone, 0)


def test_counts_of_mnist(home: Path) -> None:
    def source(name, split, *, size):  # type: ignore[no-untyped-def]
        return sets.load(name, split, home, size=size)

    task = OneAnomalous("mnist", 0).task(source, 0)  # 6903 zeros of 70,000
    assert (len(task.train), np.bincount(task.labels.reveal("metric")).tolist()) == (50477, [12620, 6903])
    task = OneAnomalous("mnist", 0, "fence_gan").task(source, 0)
    assert task.selection is not None
    assert np.bincount(task.labels.reveal("metric")).tolist() == [9465, 5177]
    assert np.bincount(task.selection.labels.reveal("metric")).tolist() == [3155, 1726]
