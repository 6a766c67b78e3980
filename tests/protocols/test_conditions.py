from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numbered import Labelled, Shelf
from torch import Tensor

from amiss.contracts import InputError
from amiss.data import sets
from amiss.data.images import Images
from amiss.protocols.conditions import CHUNK, Conditions, NoiseLevels, changed_trials
from amiss.protocols.leaks import leaks
from amiss.protocols.task import Task
from amiss.transforms.corruptions import CONDITIONS, corrupt, gaussian_noise
from amiss.transforms.unit import to_unit


def pictures(n: int, seed: int, channels: int = 3) -> Labelled:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, channels, 28, 28), dtype=np.uint8)
    labels = np.random.default_rng(seed).permutation(np.arange(n) % 3)
    return Labelled(Images(pixels, names=[f"{seed}/{i}" for i in range(n)]), labels, ("a", "b", "c"))


TRAIN, TEST = pictures(60, 1), pictures(30, 2)
GREY = pictures(30, 3, channels=1)
SHELF = Shelf(
    {
        ("set", "train"): TRAIN,
        ("set", "test"): TEST,
        ("grey", "train"): pictures(60, 4, channels=1),
        ("grey", "test"): GREY,
    }
)


def pixels(images: Images) -> np.ndarray:
    return images.take(np.arange(len(images))).numpy()


def names(images: Images) -> list[str]:
    return [images.name(i) for i in range(len(images))]


def check(task: Task, n: int) -> None:
    assert leaks(task) == ()
    inliers = {tuple(names(trial.images)[:n]) for trial in task.trials.values()}
    assert len(inliers) == 1
    for name, trial in task.trials.items():
        assert trial.labels.reveal("metric").tolist() == [0] * n + [1] * n
        assert names(trial.images)[n:] == [f"{inlier}, {name}" for inlier in names(trial.images)[:n]]
        assert trial.images.layout == task.train.layout


def test_a_trial_for_each_condition_and_level_of_the_same_images() -> None:
    task = Conditions("set", levels=(1, 5)).task(SHELF, 3)
    check(task, 30)
    assert list(task.trials) == [f"{c} {level}" for c in CONDITIONS for level in (1, 5)]
    assert task.validation is not None
    assert (len(task.train), len(task.validation)) == (54, 6)
    for name, trial in task.trials.items():
        x = to_unit(TEST.images.take(np.arange(30)))
        made = corrupt(x, name[:-2], int(name[-1]), seed=3, first=0)
        assert (pixels(trial.images)[:30] == pixels(TEST.images)).all()
        assert np.abs(pixels(trial.images)[30:] / 255 - made.clamp(0, 1).numpy()).max() <= 0.5 / 255 + 1e-6


def test_classes_and_a_limit_choose_the_images() -> None:
    task = Conditions("set", (0, 2), conditions=CONDITIONS[-1:], levels=(3,), limit=8).task(SHELF, 3)
    check(task, 8)
    assert all(TEST.labels[int(name[2:])] != 1 for name in names(task.test)[:8])
    assert task.validation is not None
    learnt = [*names(task.train), *names(task.validation)]
    assert sorted(TRAIN.labels[[int(name[2:]) for name in learnt]]) == [0] * 20 + [2] * 20
    assert task.name == "a and c under conditions"


def test_noise_has_the_level_asked_for() -> None:
    grey = Images(np.full((40, 1, 16, 16), 128, dtype=np.uint8))
    data = Labelled(grey, np.zeros(40, dtype=np.int64), ("a",))
    shelf = Shelf({("flat", "train"): GREY, ("flat", "test"): data})
    task = NoiseLevels("flat", (0.01, 0.1), 40).task(shelf, 0)
    assert leaks(task) == ()
    assert task.validation is None
    assert len(task.train) == 30
    for sigma, (name, trial) in zip((0.01, 0.1), task.trials.items(), strict=True):
        assert name == f"sigma {sigma}"
        noise = pixels(trial.images)[40:] / 255 - 128 / 255
        assert noise.std() == pytest.approx(sigma, rel=0.05)
        assert len({image.tobytes() for image in noise}) == 40  # each image has noise of its own


@pytest.mark.parametrize("protocol", [Conditions("set", levels=(4,), limit=9), NoiseLevels("set", test_limit=9)])
def test_the_seed_decides(protocol: Conditions | NoiseLevels) -> None:
    def made(seed: int) -> list[list[bytes]]:
        return [list(trial.images.digests()) for trial in protocol.task(SHELF, seed).trials.values()]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert SHELF.asked >= set(protocol.needs())


def test_chunks_do_not_show() -> None:
    many = Images(np.random.default_rng(0).integers(0, 256, (CHUNK + 9, 1, 4, 4), dtype=np.uint16) * 200)

    def change(x: Tensor, first: int) -> Tensor:
        return gaussian_noise(x, 0.3, seed=1, first=first)

    trial = changed_trials(many, {"noise": change})["noise"]
    n = len(many)
    expected = change(to_unit(many.take(np.arange(n))), 0).clamp(0, 1)
    assert trial.images.layout == many.layout
    assert np.abs(pixels(trial.images)[n:] / 65535 - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (Conditions("set", (3,)), "there is no class 3"),
        (Conditions("set", conditions=("fog of war",)), "are no conditions"),
        (Conditions("set", conditions=()), "are no conditions"),
        (Conditions("grey"), "these images are grey: leave the condition out"),
        (Conditions("set", levels=(0,)), r"the levels are \(0,\)"),
        (Conditions("set", levels=(6,)), r"the levels are \(6,\)"),
        (Conditions("set", limit=0), "0 test images were asked for"),
        (NoiseLevels("set", ()), "the noise levels are"),
        (NoiseLevels("set", (0.1, 0.0)), "the noise levels are"),
        (NoiseLevels("set", test_limit=0), "0 test images were asked for"),
    ],
)
def test_impossible_tasks_are_refused(protocol: Conditions | NoiseLevels, said: str) -> None:
    with pytest.raises(InputError, match=said):
        protocol.task(SHELF, 0)


def test_a_change_that_changes_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="the same leaves every one of the 30 test images as it is"):
        changed_trials(GREY.images, {"the same": lambda x, first: x * torch.ones(1)})


def test_mnist_and_cifar_10_for_real(home: Path) -> None:
    def source(name, split, *, size):  # type: ignore[no-untyped-def]
        return sets.load(name, split, home, size=size)

    task = NoiseLevels(sigmas=(0.1, 0.5), test_limit=300).task(source, 0)
    check(task, 300)
    assert len(task.train) == 60_000
    task = Conditions("cifar-10", (7,), levels=(5,), limit=200).task(source, 0)
    check(task, 200)
    assert len(task.train) == 4500
