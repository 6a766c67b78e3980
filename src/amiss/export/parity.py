"""Whether a file decides as the model does, on given images: the record of it, and the refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import Calibration
from amiss.export.runtime import Session
from amiss.export.tolerance import BATCHES, Scale, Tolerance
from amiss.plain import Progress, WorkError


@dataclass(frozen=True)
class Parity:
    """What a comparison found; differences are in units of `Scale`."""

    images: int
    what: str
    """Which images these are."""
    batches: tuple[int, ...]
    tolerance: float
    """Most that is usual, for this model."""
    largest: float
    """Largest difference of two scores."""
    beyond: int
    """Images whose scores differ by more than is usual, in any batch."""
    near: int
    """Images within the tolerance of the threshold."""
    flipped: int
    """Those of them that have another label."""
    runtime: str

    def to_json(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Sample:
    """What is compared: images (N, C, H, W) in the model's depth, N > 0, and their scores (N,) by the model."""

    pixels: NDArray[np.generic]
    scores: NDArray[np.float64]
    names: Sequence[str]
    what: str
    """Which images these are, for people."""


def compare(
    session: Session,
    images: Sample,
    calibration: Calibration,
    scale: Scale,
    table: Tolerance,
    progress: Progress | None = None,
) -> Parity:
    """Score images with a file in batches of 1, 5 and 33, and compare with the model.

    Raises WorkError, which names an image, if a score leaves the table, if an image further than the tolerance from the
    threshold has another label, or if a label or p-value is not what the file's own score says.
    """
    near = scale.near(images.scores, calibration.threshold, table.usual)
    differences = np.zeros(len(images.pixels))
    flipped = np.zeros(len(images.pixels), bool)
    for size in BATCHES:
        found = session.run_in_batches(images.pixels, size, progress)
        scores = found["pred_score"].astype(np.float64)
        if not np.isfinite(scores).all():
            raise WorkError(f"{session.name} gives {_name(images, ~np.isfinite(scores))} a score that is no number")
        differences = np.maximum(differences, scale.difference(scores, images.scores))
        _require_consistent(session, found, calibration, images)
        if calibration.threshold is not None:
            flipped |= found["pred_label"] != calibration.predict(images.scores)
    beyond = differences > table.usual
    _require(session, images, table, differences, flipped & ~near)
    return Parity(
        len(images.pixels),
        images.what,
        BATCHES,
        table.usual,
        float(differences.max()),
        int(beyond.sum()),
        int(near.sum()),
        int(flipped.sum()),
        f"onnxruntime {session.version}",
    )


def _require_consistent(
    session: Session, found: dict[str, NDArray[np.generic]], calibration: Calibration, images: Sample
) -> None:
    """Labels and p-values follow exactly from the file's own scores."""
    scores = found["pred_score"].astype(np.float64)
    expected = {
        **({"p_value": calibration.p_value(scores)} if calibration.n else {}),
        **({"pred_label": calibration.predict(scores)} if calibration.threshold is not None else {}),
    }
    for name, values in expected.items():
        wrong = found[name] != values
        if wrong.any():
            raise WorkError(f"{session.name} gives {_name(images, wrong)} a {name} that its own score contradicts")


def _require(
    session: Session,
    images: Sample,
    table: Tolerance,
    differences: NDArray[np.float64],
    flipped: NDArray[np.bool_],
) -> None:
    """Refuse what leaves the table."""
    if flipped.any():
        raise WorkError(
            f"{session.name} labels {_name(images, flipped)} otherwise than the model does ({int(flipped.sum())} of "
            f"{len(flipped)} images further than the tolerance from the threshold): nothing was written"
        )
    if differences.max() > table.worst:
        raise WorkError(
            f"{session.name} scores {_name(images, differences == differences.max())} otherwise than the model does, "
            f"by {differences.max():.2g} of the scores' spread; accepted is {table.worst:g}: nothing was written"
        )
    beyond, allowed = int((differences > table.usual).sum()), max(1, int(table.few * len(differences)))
    if beyond > allowed:
        raise WorkError(
            f"{session.name} scores {beyond} of {len(differences)} images otherwise than the model does, by more "
            f"than {table.usual:.2g} of the scores' spread; accepted are {allowed}: nothing was written"
        )


def _name(images: Sample, wrong: NDArray[np.bool_]) -> str:
    return f"'{images.names[int(np.flatnonzero(wrong)[0])]}'"
