"""Scores any number of images shard by shard; what was finished before a crash is neither lost nor done again."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amiss.artifact.file import Artifact, to_bytes, versions
from amiss.contracts import InputError, Progress, WorkError
from amiss.data.images import Kind, Skipped
from amiss.detector import Detector
from amiss.engine.progress import silent
from amiss.engine.workdir import Plan
from amiss.scale.listing import find_shards, require_pyarrow
from amiss.scale.output import SHARDS, Output
from amiss.scale.shards import How, Task
from amiss.scale.work import Models, Part, part_of, score_task

SHARD = 1024
"""Image files in a shard, if not told otherwise: a multiple of the 256 that are scored together."""

Engine = Callable[[Sequence[Task], Mapping[str, bytes], How], Iterator[bytes]]
"""Scores tasks with models, which are given serialized, and yields their parts in any order, each once."""


@dataclass(frozen=True)
class Work:
    """What is to be scored: tasks, the models they name, and what tells this work from any other."""

    tasks: Sequence[Task]
    models: Mapping[str, Detector]
    fingerprint: str
    size: int = 0
    """Image files in a shard; 0 for packed images."""
    lines: tuple[str, ...] = ()
    """What was found where."""


@dataclass(frozen=True)
class Outcome:
    """What a run has done, with what earlier runs of the same output had done before it."""

    shards: int
    kept: int
    """Shards that were finished before this call."""
    images: int
    anomalous: int
    skipped: list[Skipped]
    kinds: Mapping[Kind, int]
    lines: tuple[str, ...]
    """What was found where."""
    by_model: Mapping[str, tuple[int, int]]
    """Of each model: images with label 1, and all of them."""


def score_sharded(
    detector: Detector,
    source: str | Path,
    out: str | Path,
    *,
    engine: Engine | None = None,
    shard_images: int = SHARD,
    how: How | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Score the images of `source` into the folder `out`: a Parquet file for each shard, with a score table's columns.

    source: a folder, image or table of images, WebDataset tar files, or Parquet with the bytes of images.
    engine: where the work is done; in this process if None, on Ray with `amiss.scale.on_ray.OnRay`.
    Raises InputError for what cannot be read or an output that is in the way, and WorkError if the work fails; finished
    shards stay, and `resume` goes on with the others.
    """
    found = find_shards(source, shard_images)
    tasks = [Task(number, shard) for number, shard in enumerate(found.shards)]
    work = Work(tasks, {"": detector}, found.fingerprint, found.size, found.lines)
    return score_work(work, Path(out), engine or in_process, how or How(), resume, overwrite, progress)


def score_work(
    work: Work, out: Path, engine: Engine, how: How, resume: bool, overwrite: bool, progress: Progress
) -> Outcome:
    """Do what `score_sharded` does with tasks that are known."""
    require_pyarrow("scoring into Parquet files")
    plan, output, total = plan_of(work, how), Output(out), len(work.tasks)
    with output.opened(plan, resume=resume, overwrite=overwrite) as done:
        kept, told = len(done), _Told(progress, total)
        todo = [task for task in work.tasks if task.number not in done]
        models = {name: to_bytes(detector.artifact) for name, detector in work.models.items()}
        try:
            for data in engine(todo, models, how) if todo else ():
                part = part_of(data)
                output.write(data, part.shard)
                done[part.shard] = part
                told(len(done), part)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted: {_left(out, len(done), total)}") from None
        except (InputError, WorkError) as error:
            if not done:
                output.discard()
                raise
            raise type(error)(f"{error} ({_left(out, len(done), total)})") from error
        if len(done) != total:
            raise WorkError(f"{total - len(done)} shards are missing: {_left(out, len(done), total)}")
        outcome = _outcome(done, kept, work)
        if not outcome.images:
            output.discard()
            raise InputError(f"none of {len(outcome.skipped):,} images could be read: {_first(outcome.skipped)}")
        output.finish(plan, outcome.images, outcome.skipped)
    return outcome


def plan_of(work: Work, how: How) -> Plan:
    """Everything that must not change between a run and its resumption, by the name that an error gives it."""
    artifacts = [(name, detector.artifact) for name, detector in sorted(work.models.items())]
    bare = hashlib.sha256()
    for name, artifact in artifacts:
        bare.update(f"{name}\0".encode() + to_bytes(replace(artifact, fpr=None, threshold=None)))
    rates, thresholds = ({str(value) for value in values} for values in zip(*_decisions(artifacts), strict=True))
    return {
        "images": work.fingerprint[:16],
        SHARDS: str(len(work.tasks)),
        "images a shard": str(work.size),
        "model": bare.hexdigest()[:16],
        "false-alarm rate": ", ".join(sorted(rates)),
        "threshold": ", ".join(sorted(thresholds)),
        "terms": str(how.terms),
        **{f"version of {name}": value for name, value in versions().items()},
    }


def _decisions(artifacts: Sequence[tuple[str, Artifact]]) -> list[tuple[float | None, float | None]]:
    return [(artifact.fpr, artifact.threshold) for _, artifact in artifacts]


def in_process(
    tasks: Sequence[Task], models: Mapping[str, bytes], how: How, *, device: str = "auto"
) -> Iterator[bytes]:
    """The engine that works in this process, one shard after the other."""
    loaded = Models(models.__getitem__, device)
    for task in tasks:
        yield score_task(task, loaded, how)


class _Told:
    """Says how many shards are done, and at what rate images are."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.started, self.images = time.perf_counter(), 0

    def __call__(self, done: int, part: Part) -> None:
        self.images += part.images + len(part.skipped)
        rate = self.images / max(time.perf_counter() - self.started, 1e-9)
        self.progress("scoring shards", done, self.total, f"{self.images:,} images, {rate:,.0f} a second")


def _outcome(done: Mapping[int, Part], kept: int, work: Work) -> Outcome:
    kinds: Counter[Kind] = Counter()
    skipped: list[Skipped] = []
    by_model: dict[str, tuple[int, int]] = {}
    for task in work.tasks:
        part = done[task.number]
        kinds.update(part.kinds)
        skipped += part.skipped
        anomalous, images = by_model.get(task.model, (0, 0))
        by_model[task.model] = anomalous + part.anomalous, images + part.images
    anomalous, images = (sum(counts) for counts in zip(*by_model.values(), strict=True))
    return Outcome(len(done), kept, images, anomalous, skipped, kinds, work.lines, by_model)


def _left(out: Path, done: int, total: int) -> str:
    return f"{out} keeps {done:,} of {total:,} shards; the same call with --resume goes on"


def _first(skipped: Sequence[Skipped]) -> str:
    return skipped[0].reason if skipped else "there are none"
