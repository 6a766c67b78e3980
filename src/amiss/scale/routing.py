"""Which model scores which images: the folder that an image stands in, below the root, names its model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amiss.data.folder import IMAGE_SUFFIXES
from amiss.detector import Detector
from amiss.plain import InputError
from amiss.scale.each import SUFFIX
from amiss.scale.listing import find_shards
from amiss.scale.scoring import Work
from amiss.scale.shards import Task

SHOWN = 5


@dataclass(frozen=True)
class Route:
    """A folder of images, and the model of the same name."""

    name: str
    model: Path
    images: Path


def find_routes(models: Path, data: Path, *, skip_unknown: bool = False) -> tuple[list[Route], list[str]]:
    """Match the subfolders of `data` with the files NAME.safetensors in `models`; also the names of those left out.

    Raises InputError where `data` holds images beside its subfolders, or a subfolder has no model and is not to be
    skipped.
    """
    if not models.is_dir():
        raise InputError(f"{models} is no folder: --route-by folder needs one of models, as amiss fit-each writes it")
    if not data.is_dir():
        raise InputError(f"{data} is no folder: --route-by folder needs one with a subfolder for each model")
    entries = sorted(entry for entry in data.iterdir() if not entry.name.startswith("."))
    loose = [entry for entry in entries if not entry.is_dir() and entry.suffix.lower() in IMAGE_SUFFIXES]
    if loose:
        raise InputError(f"{loose[0]} stands in no subfolder, so no model is named for it: move it, or give no others")
    found = [Route(entry.name, models / f"{entry.name}{SUFFIX}", entry) for entry in entries if entry.is_dir()]
    unknown = [route.name for route in found if not route.model.is_file()]
    if unknown and not skip_unknown:
        raise InputError(f"{models} has no model for {_some(unknown)}: fit them, or leave them out with --skip-unknown")
    known = [route for route in found if route.model.is_file()]
    if not known:
        raise InputError(f"{data} has no subfolder with the name of a model in {models}")
    return known, unknown


def load_routes(routes: Sequence[Route], *, fpr: float | None, device: str) -> dict[str, Detector]:
    """Load every model, and decide at another rate if one is given.

    Raises InputError for what is no model, for a rate that one does not support, or where some models decide and others
    do not: their rows would have other columns.
    """
    found: dict[str, Detector] = {}
    for route in routes:
        found[route.name] = Detector.load(route.model, device=device)
        if fpr is not None:
            try:
                found[route.name].set_fpr(fpr)
            except InputError as error:
                raise InputError(f"{route.model}: {error}") from error
    first = routes[0]
    for route in routes:
        if _columns(found[route.name]) != _columns(found[first.name]):
            raise InputError(
                f"{route.model} and {first.model} differ in what they tell: one decides or has calibration images and "
                "the other not; fit them alike"
            )
    return found


def _columns(detector: Detector) -> tuple[bool, bool]:
    return detector.calibration.n > 0, detector.threshold_ is not None


def route_work(routes: Sequence[Route], detectors: Mapping[str, Detector], size: int) -> Work:
    """The shards of all folders as one work; no shard holds images of two."""
    tasks: list[Task] = []
    sha, lines = hashlib.sha256(), list[str]()
    for route in routes:
        found = find_shards(route.images, size)
        tasks += [Task(len(tasks) + i, shard, route.name) for i, shard in enumerate(found.shards)]
        sha.update(f"{route.name}\0{found.fingerprint}\n".encode())
        lines += found.lines
    return Work(tasks, detectors, sha.hexdigest(), size, tuple(lines))


def _some(names: Sequence[str]) -> str:
    """Names as an error tells them."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
