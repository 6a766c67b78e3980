"""Checks an exported file where there is no torch: needs NumPy, Pillow and ONNX Runtime."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.data.ahead import map_ahead
from amiss.data.decode import Decoded, decode_with_kind
from amiss.data.images import Layout, Skipped
from amiss.data.listing import list_images
from amiss.data.opening import quiet
from amiss.export.drawn import draw
from amiss.export.facts import Facts, read_facts
from amiss.export.runtime import Session
from amiss.export.tolerance import BATCHES, TABLE
from amiss.plain import InputError, Progress, WorkError

CHUNK = BATCHES[-1]


@dataclass(frozen=True, eq=False)
class Checked:
    """What a check found."""

    facts: Facts
    runtime: str
    drawn: float
    """Largest difference of the drawn images' scores from those in the file, in units of `Scale`."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What a file says of images (N,); None where it has no calibration, or does not decide."""

    names: list[str]
    pred_score: NDArray[np.float64]
    p_value: NDArray[np.float64] | None
    pred_label: NDArray[np.int64] | None
    near: NDArray[np.bool_]
    """Which lie within the tolerance of the threshold."""
    skipped: list[Skipped]


def check(path: Path) -> tuple[Session, Checked]:
    """Load a file and score the drawn images anew, in batches of 1, 5 and 33.

    Raises InputError for a file that is not ours, and WorkError if a score does not come out again.
    """
    session = Session(path)
    facts = read_facts(session.properties, session.name)
    spec = facts.spec
    if session.image_shape != (spec.channels, spec.height, spec.width):
        raise InputError(
            f"{path} says that it takes images of {spec}, but takes {session.image_shape}: export it again"
        )
    pixels, expected = draw(facts.spec, facts.depth), np.array(facts.drawn)
    if len(expected) != len(pixels):
        raise InputError(f"{path} has {len(expected)} scores of drawn images, not {len(pixels)}: export it again")
    largest = 0.0
    for size in BATCHES:
        found = session.run_in_batches(pixels, size)["pred_score"].astype(np.float64)
        apart = facts.scale.difference(found, expected)
        largest = max(largest, float(np.nan_to_num(apart, nan=np.inf).max()))
        if not largest <= TABLE.worst:
            raise WorkError(
                f"{path} does not score as when it was exported: drawn image {int(apart.argmax())} differs by "
                f"{largest:.2g} of the scores' spread, and {TABLE.worst:g} is accepted; do not use it here"
            )
    return session, Checked(facts, session.version, largest)


def score(session: Session, facts: Facts, images: Path, progress: Progress) -> Scored:
    """Score image files as `amiss score` does; those that cannot be read are listed.

    Raises InputError where no image can be read.
    """
    listing = list_images(images, recursive=True, roles=False)
    layout = Layout(facts.spec, facts.depth)

    def read(i: int) -> Decoded | Skipped:
        try:
            return decode_with_kind(listing.paths[i], layout)
        except InputError as error:
            return Skipped(listing.names[i], str(error))

    names: list[str] = []
    skipped: list[Skipped] = []
    parts: list[dict[str, NDArray[np.generic]]] = []
    batch: list[NDArray[np.generic]] = []
    with quiet(), closing(map_ahead(read, range(len(listing)), ahead=CHUNK)) as results:
        for i, result in enumerate(results):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                names.append(listing.names[i])
                batch.append(result.pixels)
            if batch and (len(batch) == CHUNK or i == len(listing) - 1):
                parts.append(_told(session.run(np.stack(batch))))
                batch = []
            progress("scoring", i + 1, len(listing), "")
    if not names:
        raise InputError(f"none of {len(listing)} images could be read: {skipped[0].reason}")
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scores = found["pred_score"].astype(np.float64)
    p_value, label = found.get("p_value"), found.get("pred_label")
    return Scored(
        names,
        scores,
        None if p_value is None else p_value.astype(np.float64),
        None if label is None else label.astype(np.int64),
        facts.scale.near(scores, facts.threshold, facts.tolerance),
        skipped,
    )


def _told(found: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Without maps, which would fill the memory."""
    return {name: values for name, values in found.items() if values.ndim == 1}
