"""The images that a card measures on: given ones, scored, and the model's own, read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.images import Images, Skipped
from amiss.data.listing import FileSource
from amiss.data.origin import Origin
from amiss.data.reading import Source, fingerprint
from amiss.data.review import Review
from amiss.data.store import OnBad
from amiss.detector import Detector
from amiss.engine.progress import renamed
from amiss.engine.runtime import derive
from amiss.protocols.refitting import prepare
from amiss.protocols.split import Images as Divisible
from amiss.protocols.split import Split, split

Divide = Callable[[Divisible], Split]
Attempt = Callable[[Divide], tuple[Images, Split]]


@dataclass(frozen=True, eq=False)
class Scored:
    """Images of one kind in the model's layout, with their scores (N,)."""

    images: Images
    scores: NDArray[np.float64]


def scored(detector: Detector, source: Source, what: str, on_bad: OnBad, progress: Progress) -> Scored:
    """Read and score images; raises InputError where none can be read."""
    pixels: list[NDArray[np.generic]] = []
    names: list[str] = []
    scores: list[NDArray[np.float64]] = []
    skipped: list[Skipped] = []
    stream = detector.stream(source, on_bad=on_bad)
    for table, chunk in detector.score_stream(stream, progress=renamed(progress, f"scoring {what}")):
        skipped += chunk.skipped
        if len(table):
            pixels.append(chunk.pixels.numpy())
            names += chunk.names
            scores.append(table.pred_score)
    if not names:
        why = skipped[0].reason if skipped else "there are none"
        raise InputError(f"none of the {what} could be read: {why}")
    return Scored(Images(np.concatenate(pixels), names=names, skipped=skipped), np.concatenate(scores))


def training_images(
    detector: Detector, train: FileSource | None, folder: Path, progress: Progress
) -> tuple[Images, Split]:
    """The images that the model was fitted on, divided as its fit divided them.

    train: where they are, if not where the model remembers them. folder: for the decoded images. Raises InputError
    where they cannot be found, and where they are not the same images any more, by fingerprint.
    """
    data = detector.artifact.record.get("data")
    if not isinstance(data, Mapping) or "fingerprint" not in data:
        raise InputError("the model does not remember which images it was fitted on: fit it again")
    source = _source(detector, train)
    pool, attempt = _pool(detector, source, folder, progress)
    for divide in _divisions(detector, data):
        with suppress(InputError):  # images that cannot be divided so are not the same, which is said below
            images, parts = attempt(divide)
            if fingerprint(images) == data["fingerprint"] and _counts(parts) == _recorded(data):
                return images, parts
    raise InputError(
        f"the images of '{source}' are not those that the model was fitted on ({data.get('images')} then, {len(pool)} "
        "now, and another fingerprint): give the same images, as --train DIR"
    )


def _pool(detector: Detector, source: FileSource | None, folder: Path, progress: Progress) -> tuple[Images, Attempt]:
    """All training images as they are now, and how they become those of the fit, divided by a rule."""
    images = detector._images  # what a fit of this session was made of
    if source is None and isinstance(images, Images):
        return images, lambda divide: (images, divide(images))
    assert source is not None  # or _source would have raised
    work = prepare(detector.layout, detector.artifact.record, Review({}, {}), source)
    pool = _whole(work.read(folder, progress))

    def attempt(divide: Divide) -> tuple[Images, Split]:
        parts = work.divide(pool, divide)
        return _whole(parts.images), parts.split

    return pool, attempt


def _source(detector: Detector, train: FileSource | None) -> FileSource | None:
    """Where the training images are; None for those of a fit of this session, which the detector still holds."""
    record = detector.artifact.record
    remembered = Origin.of_record(record).normal
    source = remembered if train is None else train
    if source is None and (detector._images is None or "reviewed" in record):
        raise InputError("the model does not remember where its training images are: give them, as --train DIR")
    if train is None and remembered is not None and not Path(remembered).exists():
        raise InputError(
            f"'{remembered}', where the model remembers its training images, does not exist from here: give them, as "
            "--train DIR"
        )
    return source


def _divisions(detector: Detector, data: Mapping[str, object]) -> list[Divide]:
    """Ways to divide: to the sizes that the fit came to, and by the rule, where a review took images out afterwards."""
    _, held_out, calibration = _recorded(data)
    seed = derive(detector.artifact.seed, "split")

    def to_size(images: Divisible) -> Split:
        return split(images, n_calibration=calibration, n_held_out=held_out, seed=seed)

    def by_rule(images: Divisible) -> Split:
        return detector.split(_whole(images))

    return [to_size] if detector.artifact.fpr is None else [to_size, by_rule]


def _whole(images: object) -> Images:
    """Images that the model sees whole, as those of every model that has a card are."""
    assert isinstance(images, Images)
    return images


def _counts(parts: Split) -> tuple[int, int, int]:
    return len(parts.train), len(parts.held_out), len(parts.calibration)


def _recorded(data: Mapping[str, object]) -> tuple[int, int, int]:
    train, held_out, calibration = (int(str(data.get(name, 0))) for name in ("train", "held_out", "calibration"))
    return train, held_out, calibration
