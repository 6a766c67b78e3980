"""Small artificial data sets: one-pixel images that are numbers, so that tests see who stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.leaks import leaks
from amiss.protocols.task import Side, Task


@dataclass(frozen=True)
class Labelled:
    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    tags: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)


def images(values: ArrayLike) -> Images:
    return Images(np.asarray(values, dtype=np.uint16).reshape(-1, 1, 1, 1))


def labelled(per_class: Sequence[int], first: int = 0) -> Labelled:
    """Distinct images numbered from `first`, classes interleaved at random."""
    labels = np.random.default_rng(first).permutation(np.repeat(np.arange(len(per_class)), per_class))
    return Labelled(images(np.arange(first, first + len(labels))), labels, tuple("abcdefghij"[: len(per_class)]))


def joined(*parts: Labelled) -> Labelled:
    pixels = np.concatenate([part.images.take(np.arange(len(part.images))).numpy() for part in parts])
    return Labelled(Images(pixels), np.concatenate([part.labels for part in parts]), parts[0].classes)


def with_values(data: Labelled, values: ArrayLike) -> Labelled:
    return replace(data, images=images(values))


@dataclass
class Shelf:
    """A source of given sides; `asked` records what was read."""

    sides: dict[tuple[str, str], Labelled]
    asked: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, name: str, split: Side, *, size: int | None = None) -> Labelled:
        self.asked.add((name, split))
        if split == "all" and (name, "train") in self.sides:
            return joined(self.sides[name, "train"], self.sides[name, "test"])
        if (name, split) not in self.sides:
            raise InputError(f"{name} has no split {split!r}")
        return self.sides[name, split]


def values(given: Images | None) -> NDArray[np.int64]:
    assert given is not None
    return given.take(np.arange(len(given))).numpy().astype(np.int64).ravel()


def state(task: Task) -> list[list[int]]:
    """Everything of a task as numbers; its labels are revealed."""
    trials = [*task.trials.values(), *([task.selection] if task.selection else [])]
    parts = [values(task.train).tolist(), [] if task.validation is None else values(task.validation).tolist()]
    for trial in trials:
        parts += [values(trial.images).tolist(), trial.labels.reveal("metric").tolist()]
    return parts


def check_honest(task: Task, anomalous: NDArray[np.bool_]) -> None:
    """No leak, and labels as `anomalous`, which says for each number whether it is an anomaly."""
    assert leaks(task) == ()
    assert not anomalous[values(task.train)].any()
    assert task.validation is None or not anomalous[values(task.validation)].any()
    for trial in [*task.trials.values(), *([task.selection] if task.selection else [])]:
        assert trial.labels.reveal("metric").tolist() == anomalous[values(trial.images)].astype(int).tolist()
    if task.selection is not None:
        selected = values(task.selection.images)
        assert sorted(values(task.validation)) == sorted(selected[~anomalous[selected]])
