from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numbered import Shelf, state
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.leaks import leaks
from amiss.protocols.one_vs_rest import EVEN, PAIRS, Balanced, Entire, balanced, entire
from amiss.protocols.task import Task


@dataclass(frozen=True)
class Labelled:
    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def labelled(per_class: list[int], first: int, side: str) -> Labelled:
    """Distinct one-pixel images numbered from `first`, classes interleaved at random."""
    labels = np.random.default_rng(first).permutation(np.repeat(np.arange(len(per_class)), per_class))
    pixels = np.arange(first, first + len(labels), dtype=np.uint16).reshape(-1, 1, 1, 1)
    names = [f"{side}/{i}" for i in range(len(labels))]
    return Labelled(Images(pixels, names=names), labels, tuple("abc"[: len(per_class)]))


def values(images: Images | None) -> NDArray[np.int64]:
    assert images is not None
    return images.take(np.arange(len(images))).numpy().astype(np.int64).ravel()


TRAIN, TEST = labelled([50, 40, 45], 0, "train"), labelled([20, 15, 25], 1000, "test")
CLASS_OF = np.full(2000, -1)
CLASS_OF[:135], CLASS_OF[1000:1060] = TRAIN.labels, TEST.labels


def check_test_side(task: Task, normal: int, each: int) -> None:
    labels = task.labels.reveal("metric")
    assert labels.tolist() == (CLASS_OF[values(task.test)] != normal).astype(int).tolist()
    assert np.bincount(labels).tolist() == [each, each]
    assert len(set(values(task.test))) == 2 * each


@pytest.mark.parametrize("normal", [0, 1])
def test_balanced_takes_the_official_sides(normal: int) -> None:
    task = balanced(TRAIN, TEST, normal, seed=3)
    assert sorted(values(task.train)) == np.flatnonzero(TRAIN.labels == normal).tolist()
    check_test_side(task, normal, [20, 15][normal])
    assert (values(task.test) >= 1000).all()
    assert task.dropped == 0
    assert task.validation is None
    assert task.name == f"{'ab'[normal]} against the rest, balanced test"
    assert task.test.name(0).startswith("test/")


def test_entire_takes_all_official_test_images() -> None:
    task = entire(TRAIN, TEST, 1)
    assert sorted(values(task.train)) == np.flatnonzero(TRAIN.labels == 1).tolist()
    assert values(task.test).tolist() == list(range(1000, 1060))
    assert task.labels.reveal("metric").tolist() == (TEST.labels != 1).astype(int).tolist()
    assert task.name == "b against the rest, entire test"
    assert task.dropped == 0


def test_entire_leaves_out_training_images_that_stand_in_the_test() -> None:
    task = entire(TRAIN, Labelled(TRAIN.images, TRAIN.labels, TRAIN.classes), 0)
    assert task.dropped == 50
    assert len(task.train) == 0


def test_entire_refuses_a_test_side_without_the_class_or_without_others() -> None:
    only = Labelled(TEST.images.subset(np.flatnonzero(TEST.labels == 1)), TEST.labels[TEST.labels == 1], TEST.classes)
    for normal in (0, 1):
        with pytest.raises(InputError, match="all or nothing of the test images"):
            entire(TRAIN, only, normal)


def test_outliers_are_drawn_by_the_seed_from_all_other_classes() -> None:
    first, again, other = (values(balanced(TRAIN, TEST, 0, seed=s).test) for s in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert set(CLASS_OF[first]) == {0, 1, 2}


def test_copies_of_test_images_are_dropped_from_training() -> None:
    pixels = TRAIN.images.take(np.arange(135)).numpy().copy()
    own, inlier = np.flatnonzero(TRAIN.labels == 0), np.flatnonzero(TEST.labels == 0)
    pixels[own[:3]] = 1000 + inlier[0]
    task = balanced(Labelled(Images(pixels), TRAIN.labels, TRAIN.classes), TEST, 0, seed=0)
    assert task.dropped == 3
    assert len(task.train) == 47
    assert not set(values(task.train)) & set(values(task.test))


def test_impossible_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="there is no class 3: the classes are 0 to 2"):
        balanced(TRAIN, TEST, 3, seed=0)
    with pytest.raises(InputError, match="name at least one"):
        entire(TRAIN, TEST)
    alone = labelled([30], 0, "train")
    with pytest.raises(InputError, match="30 test images and the other classes 0"):
        balanced(alone, alone, 0, seed=0)
    missing = Labelled(TRAIN.images, np.ones(135, dtype=np.int64), TRAIN.classes)
    with pytest.raises(InputError, match=r"no image is of class 0 \(a\)"):
        balanced(missing, TEST, 0, seed=0)


def test_constants_of_arae_name_ten_pairs_and_five_classes() -> None:
    assert len(set(PAIRS)) == 10
    assert all(0 <= a < b <= 9 for a, b in PAIRS)
    assert EVEN == (0, 2, 4, 6, 8)


def test_the_protocols_read_both_sides_and_leak_nothing() -> None:
    shelf = Shelf({("set", "train"): TRAIN, ("set", "test"): TEST})  # type: ignore[dict-item]
    for protocol in (Balanced("set", 1), Entire("set", (0, 2))):
        shelf.asked.clear()
        task = protocol.task(shelf, 3)
        assert shelf.asked == set(protocol.needs())
        assert leaks(task) == ()
        assert state(task) == state(protocol.task(shelf, 3))
    assert state(Balanced("set", 1).task(shelf, 4)) != state(Balanced("set", 1).task(shelf, 3))
    assert len(Balanced("set", 1).task(shelf, 4).train) == 36
