from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numbered import Labelled, Shelf, check_honest, labelled, state, values
from PIL import Image

from amiss.contracts import ImageSpec, InputError
from amiss.data import sets
from amiss.data.images import Images, Layout
from amiss.protocols.alike import alike
from amiss.protocols.ama_one_class import AmaOneClass
from amiss.protocols.leaks import leaks
from amiss.protocols.one_vs_rest import Entire
from amiss.protocols.out_of_distribution import OutOfDistribution
from amiss.protocols.task import Task


def pictures(n: int, seed: int, channels: int = 3, side: int = 4, depth: type = np.uint8) -> Labelled:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, channels, side, side)).astype(depth)
    return Labelled(Images(pixels, names=[f"{seed}/{i}" for i in range(n)]), np.zeros(n, dtype=np.int64), ("all",))


SHELF = Shelf(
    {
        ("own", "train"): pictures(200, 1),
        ("own", "test"): pictures(50, 2),
        ("colour", "train"): pictures(100, 3),
        ("colour", "test"): pictures(80, 4),
        ("grey", "train"): pictures(100, 5, channels=1),
        ("grey", "test"): pictures(80, 6, channels=1),
        ("whole", "all"): pictures(90, 7),
        ("tall", "train"): Labelled(
            Images(np.zeros((9, 3, 4, 5), dtype=np.uint8)), np.zeros(9, dtype=np.int64), ("a",)
        ),
    }
)
SHELF.sides["tall", "test"] = SHELF.sides["tall", "train"]


def pixels(images: Images) -> np.ndarray:
    return images.take(np.arange(len(images))).numpy()


def names(images: Images) -> list[str]:
    return [images.name(i) for i in range(len(images))]


@pytest.mark.parametrize(("share", "n"), [(0.2, 10), (0.1, 5), (1.5, 75), (None, 80)])
def test_a_trial_for_each_set_with_a_share_of_anomalies(share: float | None, n: int) -> None:
    task = OutOfDistribution("own", ("colour", "grey"), share).task(SHELF, 3)
    assert leaks(task) == ()
    assert list(task.trials) == ["colour", "grey"]
    assert names(task.train) == [f"1/{i}" for i in range(200)]
    assert (task.selection, task.validation, task.dropped) == (None, None, 0)
    for seed, trial in zip((4, 6), task.trials.values(), strict=True):
        assert trial.labels.reveal("metric").tolist() == [0] * 50 + [1] * n
        assert names(trial.images)[:50] == [f"2/{i}" for i in range(50)]
        anomalies = names(trial.images)[50:]
        assert len(set(anomalies)) == n
        assert all(name.startswith(f"{seed}/") for name in anomalies)
        assert trial.images.layout == task.train.layout
    assert task.name == "own against colour, grey"


def test_a_set_draws_the_same_whatever_stands_beside_it() -> None:
    alone, beside = (OutOfDistribution("own", others).task(SHELF, 3) for others in (("grey",), ("colour", "grey")))
    assert names(alone.trials["grey"].images) == names(beside.trials["grey"].images)
    other = OutOfDistribution("own", ("grey",)).task(SHELF, 4)
    assert names(alone.trials["grey"].images) != names(other.trials["grey"].images)


@pytest.mark.parametrize(("origin", "first"), [("train", "5/"), ("rest", "6/")])
def test_a_selection_has_anomalies_that_are_not_tested(origin: str, first: str) -> None:
    protocol = OutOfDistribution("own", ("grey",), selection_anomalies=30, selection_from=origin)  # type: ignore[arg-type]
    task = protocol.task(SHELF, 3)
    assert leaks(task) == ()
    assert task.selection is not None
    assert task.validation is not None
    assert task.selection.labels.reveal("metric").tolist() == [0] * 10 + [1] * 30
    assert names(task.selection.images)[:10] == names(task.validation)
    assert all(name.startswith(first) for name in names(task.selection.images)[10:])
    assert sorted(names(task.train) + names(task.validation)) == sorted(f"1/{i}" for i in range(200))
    plain = OutOfDistribution("own", ("grey",)).task(SHELF, 3)
    assert names(plain.test) == names(task.test)


def test_it_needs_exactly_what_it_reads() -> None:
    for protocol in (
        OutOfDistribution("own", ("colour", "grey")),
        OutOfDistribution("own", ("grey",), selection_anomalies=5),
        OutOfDistribution("own", ("grey",), selection_anomalies=5, selection_from="rest"),
        OutOfDistribution("own", ("whole",), other_side="all", selection_anomalies=5, selection_from="rest"),
    ):
        shelf = Shelf(SHELF.sides)
        protocol.task(shelf, 0)
        assert shelf.asked == set(protocol.needs())
        assert len(protocol.needs()) == len(shelf.asked)


def test_training_images_that_are_tested_as_anomalies_are_dropped() -> None:
    sides = {**SHELF.sides, ("colour", "test"): SHELF.sides["own", "train"]}
    task = OutOfDistribution("own", ("colour",)).task(Shelf(sides), 0)
    assert leaks(task) == ()
    assert task.dropped == 10


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (OutOfDistribution("own", ()), "name other sets, each once"),
        (OutOfDistribution("own", ("own",)), "name other sets, each once"),
        (OutOfDistribution("own", ("grey", "grey")), "name other sets, each once"),
        (OutOfDistribution("own", ("grey",), 0), "0 images of grey were to be drawn from 80"),
        (OutOfDistribution("own", ("grey",), 2), "100 images of grey were to be drawn from 80"),
        (OutOfDistribution("own", ("grey", "colour"), selection_anomalies=3), "make a task of each"),
        (OutOfDistribution("own", ("grey",), selection_anomalies=101), "101 anomalies of the selection"),
        (OutOfDistribution("own", ("grey",), selection_anomalies=3, selection_normals=1), "in the selection is 1"),
        (OutOfDistribution("own", ("grey",), None, selection_anomalies=3, selection_from="rest"), "drawn from 0"),
        (OutOfDistribution("tall", ("grey",)), "tall has images of 4 x 5 pixels: give a size"),
        (OutOfDistribution("own", ("whole",)), "whole has no split 'test'"),
    ],
)
def test_impossible_tasks_are_refused(protocol: OutOfDistribution, said: str) -> None:
    with pytest.raises(InputError, match=said):
        protocol.task(SHELF, 0)


def test_grey_is_repeated_and_of_colour_the_luminance_is_taken() -> None:
    grey, colour = SHELF.sides["grey", "test"].images, SHELF.sides["own", "test"].images
    assert (pixels(alike(grey, colour.layout)) == np.repeat(pixels(grey), 3, axis=1)).all()
    assert names(alike(grey, colour.layout)) == names(grey)
    made = pixels(alike(colour, grey.layout))
    expected = [np.asarray(Image.fromarray(np.moveaxis(x, 0, 2)).convert("L")) for x in pixels(colour)]
    assert (made[:, 0] == np.array(expected)).all()
    assert alike(grey, grey.layout) is grey
    deep = Images(np.full((1, 3, 2, 2), 65535, dtype=np.uint16))
    assert (pixels(alike(deep, Layout(ImageSpec(1, 2, 2), "uint16"))) == 65535).all()
    real = Images(np.random.default_rng(0).random((5, 3, 2, 2), dtype=np.float32))
    np.testing.assert_allclose(
        pixels(alike(real, Layout(ImageSpec(1, 2, 2), "float32")))[:, 0],
        np.tensordot(pixels(real), [0.299, 0.587, 0.114], (1, 0)),
        rtol=1e-4,
    )
    for layout in (Layout(ImageSpec(3, 4, 5), "uint8"), Layout(ImageSpec(3, 4, 4), "uint16")):
        with pytest.raises(InputError, match="only the number of channels may differ"):
            alike(grey, layout)
    with pytest.raises(InputError, match="1 channels cannot become 4"):
        alike(grey, Layout(ImageSpec(4, 4, 4), "uint8"))


TRAIN, TEST = labelled([100, 60, 40], 0), labelled([20, 15, 25], 1000)
DIGITS = Shelf({("set", "train"): TRAIN, ("set", "test"): TEST})
CLASS_OF = np.full(2000, -1)
CLASS_OF[:200], CLASS_OF[1000:1060] = TRAIN.labels, TEST.labels


def test_one_class_without_a_selection_is_the_entire_protocol() -> None:
    task = AmaOneClass("set", 0).task(DIGITS, 3)
    assert state(task) == state(Entire("set", (0,)).task(DIGITS, 0))


def test_one_class_selects_with_training_images() -> None:
    def made(seed: int) -> Task:
        return AmaOneClass("set", 0, selection_anomalies=50, selection_normals=0.1).task(DIGITS, seed)

    task = made(3)
    check_honest(task, CLASS_OF != 0)
    assert task.selection is not None
    assert np.bincount(task.selection.labels.reveal("metric")).tolist() == [10, 50]
    assert len(task.train) == 90
    assert (values(task.selection.images) < 1000).all()
    assert values(task.test).tolist() == list(range(1000, 1060))
    assert state(task) == state(made(3))
    assert state(task) != state(made(4))


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        (AmaOneClass("set", 3), "there is no class 3"),
        (AmaOneClass("set", 0, 101), "101 anomalies of the selection were to be drawn from 100"),
        (AmaOneClass("set", 0, 5, 0.001), "0 training images of a"),
        (AmaOneClass("set", 0, 5, 0.0), "in the selection is 0.0"),
        (AmaOneClass("alone", 0), "all or nothing of the test images"),
    ],
)
def test_impossible_one_class_tasks_are_refused(protocol: AmaOneClass, said: str) -> None:
    alone = labelled([9])
    with pytest.raises(InputError, match=said):
        protocol.task(Shelf({**DIGITS.sides, ("alone", "train"): alone, ("alone", "test"): alone}), 0)


def test_official_sizes(home: Path) -> None:
    def source(name, split, *, size):  # type: ignore[no-untyped-def]
        return sets.load(name, split, home, size=size)

    task = OutOfDistribution("fashion-mnist", ("mnist", "kmnist")).task(source, 0)
    assert leaks(task) == ()
    assert len(task.train) == 60_000
    assert [len(trial.images) for trial in task.trials.values()] == [12_000, 12_000]
    task = OutOfDistribution("mnist", ("tiny-imagenet",), 0.1, selection_anomalies=50, selection_from="rest").task(
        source, 0
    )
    assert leaks(task) == ()
    assert (len(task.train), len(task.test), task.test.spec) == (57_000, 11_000, ImageSpec(1, 28, 28))
    task = AmaOneClass("mnist", 8, selection_anomalies=50).task(source, 0)
    assert leaks(task) == ()
    assert (len(task.train), len(task.test)) == (5851 - 292, 10_000)
