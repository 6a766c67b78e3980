"""A pool of actors on Ray Data, run by an actor of its own; this module loads no torch, which only the pool needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from amiss.scale.shards import How

if TYPE_CHECKING:
    from ray import ObjectRef

RESTARTS = 10
"""How often a lost actor is started anew and goes on with its shards; a shard that kills it so often ends the run.

Shards themselves are retried without limit: Ray counts every try to reach an actor whose node has just died.
"""

AHEAD = 2
"""Shards that an actor has or waits for; the next one is handed over when one is finished."""

HEAD = {"node:__internal_head__": 0.0001}
"""Where the runner lives: the one node that a cluster cannot lose."""


class Row(TypedDict):
    """A finished shard: a part's bytes, or the sentence of an error; `wrong` where the input is at fault."""

    part: bytes
    error: str
    wrong: bool


class Batch(TypedDict):
    """What the pool is handed: columns of a table."""

    shard: Sequence[bytes]
    number: Sequence[int]
    model: Sequence[str]


@dataclass(frozen=True)
class Job:
    """All that the cluster is told of the work, sent once."""

    shards: Sequence[bytes]
    numbers: Sequence[int]
    names: Sequence[str]
    """The model of each shard."""
    models: Mapping[str, ObjectRef[bytes]]
    how: How
    workers: int
    gpus: float
    versions: Mapping[str, str]
    """What decides a score, on the machine that gave the command."""


class Runner:
    """Runs the data set inside the cluster, because Ray Data cannot run through `ray://`, and hands out its rows."""

    def __init__(self, job: Job) -> None:
        self.rows = _rows(job)

    def next(self) -> Row | None:
        """The next finished shard; None after the last."""
        return next(self.rows, None)


def _rows(job: Job) -> Iterator[Row]:
    """The data set: a block for each shard, mapped by a pool of actors, gone through as it is made."""
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    items = [
        {"shard": shard, "number": number, "model": name}
        for shard, number, name in zip(job.shards, job.numbers, job.names, strict=True)
    ]
    data = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        Worker,
        fn_constructor_args=(job.models, job.how, job.gpus, job.versions),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=job.workers, max_tasks_in_flight_per_actor=AHEAD),
        num_cpus=0 if job.gpus else 1,
        num_gpus=job.gpus or None,
        max_restarts=RESTARTS,  # with it, Ray Data tries tasks again without limit
    )
    for row in data.iter_rows():
        yield Row(part=bytes(row["part"]), error=str(row["error"]), wrong=bool(row["wrong"]))


class Worker:
    """An actor of the pool."""

    def __init__(
        self, models: Mapping[str, ObjectRef[bytes]], how: How, gpus: float, versions: Mapping[str, str]
    ) -> None:
        import ray
        import torch

        from amiss.scale.actor import Actor

        torch.set_num_threads(1)
        self.actor = Actor(lambda name: bytes(ray.get(models[name])), how, gpus, versions)

    def __call__(self, batch: Batch) -> dict[str, list[bytes | str | bool]]:
        """Score the shards of a batch, which holds one."""
        cells = zip(batch["shard"], batch["number"], batch["model"], strict=True)
        rows = [self.actor.row(bytes(shard), int(number), str(name)) for shard, number, name in cells]
        return {name: [row[name] for row in rows] for name in ("part", "error", "wrong")}
