"""One detector for every subfolder of a folder: what is asked of each fit, what comes of it, and what can be kept."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from amiss.artifact.file import Artifact, from_bytes, load, to_bytes
from amiss.calibration.conformal import Calibration
from amiss.contracts import InputError, Method, WorkError
from amiss.data.listing import list_images
from amiss.data.reading import Reading
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.engine.runtime import Precision, Runtime
from amiss.engine.workdir import Plan
from amiss.fitting.settings import Settings
from amiss.plain import Progress
from amiss.scale.shards import require_text
from amiss.transforms.tiles import Tiling

KEY = "fit_each"
"""Where a model's record keeps the plan that it was made by."""

SUFFIX = ".safetensors"

_PASSING = ("device", "thread count")
"""What a plan says that does not make a finished model another one."""


@dataclass(frozen=True)
class Asked:
    """What every fit is asked for, in the words of `Detector`."""

    method: Method
    fpr: float | None = 0.05
    random_state: int = 0
    size: int | None = None
    tiling: Tiling | None = None
    precision: Precision = "float32"
    keep_images: bool = True
    reading: Reading = field(default_factory=Reading)

    def settings(self, device: str) -> Settings:
        """The same, in the words of the engine."""
        runtime = Runtime(device, self.precision, self.random_state)
        return Settings(self.method, runtime, self.fpr, self.size, self.tiling, self.keep_images)

    def plan(self, fingerprint: str) -> Plan:
        """What makes a finished model another one, by the name that an error gives it: images and settings."""
        plan = self.settings("cpu").plan(fingerprint, self.reading)
        kept = {name: value for name, value in plan.items() if name not in _PASSING and "version of" not in name}
        return {**kept, "thumbnails": str(self.keep_images)}


@dataclass(frozen=True)
class Job:
    """A subfolder to fit on."""

    name: str
    folder: str
    """Its absolute path."""
    asked: Asked
    device: str
    plan: Mapping[str, str]
    """Empty where the folder could not be listed."""


@dataclass(frozen=True)
class Answer:
    """What came of a job: the bytes of a model, or why there is none."""

    model: bytes = b""
    seconds: float = 0.0
    error: str = ""


Status = Literal["fitted", "kept", "failed"]


@dataclass(frozen=True)
class Row:
    """A line of the table at the end."""

    name: str
    status: Status
    images: int | None = None
    train: int | None = None
    calibration: int | None = None
    seconds: float | None = None
    threshold: float | None = None
    fpr: float | None = None
    error: str = ""

    @classmethod
    def of(cls, name: str, status: Status, artifact: Artifact, seconds: float | None = None) -> Row:
        """What a model's record says."""
        data = artifact.record.get("data")
        counts = data if isinstance(data, Mapping) else {}
        threshold = Calibration(artifact.calibration_scores, artifact.fpr).threshold
        images, train, calibration = (counts.get(key) for key in ("images", "train", "calibration"))
        return cls(name, status, images, train, calibration, seconds, threshold, artifact.fpr)


def subfolders(root: Path) -> list[tuple[str, Path]]:
    """Name and absolute path of every folder in `root`, sorted; hidden ones are passed over.

    Raises InputError where there are none.
    """
    if not root.is_dir():
        raise InputError(f"'{root}' is no folder; give one that has a subfolder of normal images for each detector")
    found = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise InputError(f"'{root}' has no subfolders; give a folder with one for each detector")
    return [(require_text(entry.name), entry.absolute()) for entry in found]


def fingerprint(folder: Path, reading: Reading) -> str:
    """Tell whether images were added, removed or changed, wherever the folder lies; raises InputError if unreadable."""
    listing = list_images(folder, recursive=reading.recursive, group_by=reading.group_by).normal()
    prefix = os.fsencode(f"{folder}{os.sep}")
    sha = hashlib.sha256()
    for stamp in listing.stamps():
        sha.update(stamp.removeprefix(prefix))
    return sha.hexdigest()


def finished(path: Path, plan: Mapping[str, str]) -> Artifact | None:
    """The model at `path` if it was made by this plan; None where there is none.

    Raises InputError, with what differs, for a model of another plan, or for another file.
    """
    if not path.exists():
        return None
    artifact = load(path)
    made = artifact.record.get(KEY)
    if not isinstance(made, Mapping):
        raise InputError(f"{path} was not made by amiss fit-each: --overwrite replaces it")
    for name in sorted({*made, *plan}):
        if made.get(name) != plan.get(name):
            what = "the images have changed" if name == "data" else f"{name} was {made.get(name)}, now {plan.get(name)}"
            raise InputError(f"{path} was made otherwise ({what}): --overwrite fits it anew")
    return artifact


def fit_job(job: Job, progress: Progress = silent) -> Answer:
    """Fit one detector; what goes wrong is a sentence in the answer, so that other jobs go on."""
    started = time.perf_counter()
    try:
        if not Path(job.folder).is_dir():
            raise WorkError(
                f"{platform.node()} has no folder '{job.folder}': machines read images from their own disks, so give a "
                "folder that all of them have at the same path"
            )
        artifact = _fit(job, progress)
    except (InputError, WorkError) as error:
        return Answer(seconds=_since(started), error=str(error))
    except (RuntimeError, OSError, MemoryError, ValueError) as error:
        return Answer(seconds=_since(started), error=f"{type(error).__name__}: {error}")
    artifact = replace(artifact, record={**artifact.record, KEY: dict(job.plan)})
    return Answer(to_bytes(artifact), _since(started))


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def _fit(job: Job, progress: Progress) -> Artifact:
    asked = job.asked
    detector = Detector(
        asked.method,
        fpr=asked.fpr,
        random_state=asked.random_state,
        size=asked.size,
        device=job.device,
        precision=asked.precision,
        keep_images=asked.keep_images,
    )
    detector.tiling = asked.tiling
    with tempfile.TemporaryDirectory(prefix="amiss-") as folder:
        return detector.fit(job.folder, reading=asked.reading, workdir=folder, progress=progress).artifact


def read_answer(answer: Answer, name: str) -> Artifact:
    """The model of an answer."""
    return from_bytes(answer.model, name)
