from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.data.images import Images
from amiss.protocols.labels import Labels
from amiss.protocols.leaks import leaks
from amiss.protocols.task import Protocol, Side, Source, Task, Trial


def images(*values: int) -> Images:
    return Images(np.array(values, dtype=np.uint16).reshape(-1, 1, 1, 1))


@dataclass(frozen=True)
class Leaky(Protocol):
    """Says nothing about what it does."""

    how: str = ""

    def needs(self) -> tuple[tuple[str, Side], ...]:
        return ()

    def task(self, source: Source, seed: int) -> Task:
        first, second = Labels([0, 1]), Labels([0, 1])
        selected = first if self.how == "labels" else Labels([0, 1])
        if self.how == "look":
            second.reveal("choice of the width")
        stolen = {self.how: (11,)}
        return Task(
            "leaky",
            images(0, 1, 2, *stolen.get("train", ())),
            {"first": Trial(images(10, 11), first), "second": Trial(images(20, 21), second)},
            validation=images(3, *stolen.get("validation", ())),
            selection=Trial(images(4, *stolen.get("selection", (5,))), selected),
        )


def made(how: str) -> Task:
    def no_source(name: str, split: Side, *, size: int | None = None) -> None:
        raise AssertionError

    return Leaky(how).task(no_source, 0)  # type: ignore[arg-type]


def test_an_honest_task_has_none() -> None:
    assert leaks(made("")) == ()
    assert leaks(Task("plain", images(1, 1), {"test": Trial(images(2, 2), Labels([0, 1]))})) == ()


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("train", "the training images and the trial 'first' share 1 equal images"),
        ("validation", "the validation images and the trial 'first' share 1 equal images"),
        ("selection", "the labelled selection and the trial 'first' share 1 equal images"),
        ("labels", "the trial 'first' and the labelled selection share their labels"),
        ("look", "labels of the trial 'second' were revealed when the task was made: choice of the width"),
    ],
)
def test_a_leak_is_found_though_the_protocol_does_not_confess(how: str, sentence: str) -> None:
    assert leaks(made(how)) == (sentence,)


@given(st.lists(st.integers(0, 30), max_size=20), st.lists(st.integers(0, 30), min_size=1, max_size=20))
def test_different_images_that_are_shared_are_counted(train: list[int], tested: list[int]) -> None:
    task = Task("drawn", images(*train), {"test": Trial(images(*tested), Labels([0] * len(tested)))})
    shared = len(set(train) & set(tested))
    said = (f"the training images and the trial 'test' share {shared} equal images",)
    assert leaks(task) == (said if shared else ())


def test_training_images_that_choose_are_found() -> None:
    trials = {"test": Trial(images(9), Labels([0]))}
    assert leaks(Task("x", images(1, 2), trials, validation=images(2))) == (
        "the training images and the validation images share 1 equal images",
    )
