"""Finds what a task could know of its test images, by content and not by confession."""

from __future__ import annotations

from itertools import product

from amiss.data.images import Images
from amiss.protocols.task import Task


def leaks(task: Task) -> tuple[str, ...]:
    """Say every way in which what trains, selects or sets a threshold shares images or labels with what is tested.

    An honest task gives (). Equal images within one part, in two trials, or in two parts that choose are no leak.
    """
    chosen = {"the validation images": task.validation}
    if task.selection is not None:
        chosen["the labelled selection"] = task.selection.images
    train = ("the training images", _different(task.train))
    others = [(name, _different(images)) for name, images in chosen.items() if images is not None]
    tested = [(f"the trial {name!r}", _different(trial.images)) for name, trial in task.trials.items()]
    found = [
        f"{a} and {b} share {len(shared)} equal images"
        for (a, first), (b, second) in [*product([train], others), *product([train, *others], tested)]
        if (shared := first & second)
    ]
    for name, trial in task.trials.items():
        if trial.labels.purposes:
            found.append(
                f"labels of the trial {name!r} were revealed when the task was made: {', '.join(trial.labels.purposes)}"
            )
        if task.selection is not None and trial.labels is task.selection.labels:
            found.append(f"the trial {name!r} and the labelled selection share their labels")
    return tuple(found)


def _different(images: Images) -> set[bytes]:
    """Digests of all images that differ."""
    return set(images.digests().tolist())
