from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numbered import Labelled, Shelf, check_honest, images, labelled, state, values

from amiss.contracts import InputError
from amiss.data import sets
from amiss.protocols.leaks import leaks
from amiss.protocols.medical import Medical

SCANS = labelled([50, 80])
SHELF = Shelf({("scans", "all"): SCANS})


def scans(normal: list[int], anomalous: list[int]) -> Shelf:
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    return Shelf({("scans", "all"): Labelled(images([*normal, *anomalous]), labels, ("no", "yes"))})


@pytest.mark.parametrize(("share", "trained"), [(0.9, 45), (0.5, 25), (0.99, 49)])
def test_a_share_of_normal_images_trains_and_all_else_is_tested(share: float, trained: int) -> None:
    task = Medical("scans", share).task(SHELF, 2)
    check_honest(task, SCANS.labels == 1)
    assert len(task.train) == trained
    assert np.bincount(task.labels.reveal("metric")).tolist() == [50 - trained, 80]
    assert sorted([*values(task.train), *values(task.test)]) == list(range(130))
    assert (task.validation, task.selection, task.dropped) == (None, None, 0)
    assert task.name == f"a against the rest, {share:.0%} of the normal images train"


def test_the_seed_decides() -> None:
    first, again, other = (state(Medical("scans").task(SHELF, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@given(
    normal=st.lists(st.integers(0, 15), min_size=20, max_size=40),
    anomalous=st.lists(st.integers(100, 110), min_size=1, max_size=20),
    seed=st.integers(0, 100),
)
def test_copies_stay_together_and_are_tested_once(normal: list[int], anomalous: list[int], seed: int) -> None:
    assume(max(map(normal.count, normal)) < len(normal) // 4)  # else the set may not be divisible
    task = Medical("scans", 0.8).task(scans(normal, anomalous), seed)
    assert leaks(task) == ()
    tested, trained = values(task.test), values(task.train)
    assert len(set(tested)) == len(tested)
    assert set(tested) | set(trained) == {*normal, *anomalous}
    assert task.dropped == len(normal) + len(anomalous) - len(tested) - len(trained)
    for v in set(trained):
        assert (trained == v).sum() == normal.count(v)


def test_a_normal_image_that_equals_an_anomaly_does_not_train() -> None:
    task = Medical("scans").task(scans([*range(20), 7], [5, 7, 100]), 0)
    assert leaks(task) == ()
    assert not {5, 7} & set(values(task.train))
    assert {5, 7, 100} <= set(values(task.test))


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (Medical("scans", normal=2), "there is no class 2"),
        (Medical("scans", 1.0), "the share of normal images that train is 1.0"),
        (Medical("alone"), "nothing but a"),
    ],
)
def test_impossible_tasks_are_refused(protocol: Medical, said: str) -> None:
    with pytest.raises(InputError, match=said):
        protocol.task(Shelf({**SHELF.sides, ("alone", "all"): labelled([30])}), 0)


def test_brain_mri_and_head_ct_for_real(home: Path) -> None:
    def source(name, split, *, size):  # type: ignore[no-untyped-def]
        return sets.load(name, split, home, size=size)

    for seed in range(5):
        task = Medical("brain-mri", size=128).task(source, seed)
        y = task.labels.reveal("metric")
        assert len(task.train) + (y == 0).sum() + task.dropped == 98 + 155 - 141
        assert (y == 1).sum() == 141  # of 155, 14 are copies of others
        assert 85 <= len(task.train) <= 88
        assert len(set(task.test.digests())) == len(y)
        assert not set(task.test.digests()) & set(task.train.digests())
        head = Medical("head-ct", size=128).task(source, seed)
        assert len(head.train) in (89, 90)
        assert head.labels.reveal("metric").sum() == 100
