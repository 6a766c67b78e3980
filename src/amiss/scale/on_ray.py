"""The engine that scores shards on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amiss.artifact.file import versions
from amiss.contracts import InputError, WorkError
from amiss.scale.cluster import cluster
from amiss.scale.pool import HEAD, Job, Row, Runner
from amiss.scale.shards import How, Task

if TYPE_CHECKING:
    from ray.actor import ActorHandle


@dataclass(frozen=True)
class OnRay:
    """The engine that works on Ray.

    address: of a running cluster, as Ray takes it; None starts one on this machine. workers: actors; as many as the
    cluster has processors, or shares of GPUs, if None. gpus: share of a GPU for each actor, such as 0.25; with 0 they
    work on one processor each.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float = 0.0

    def __call__(self, tasks: Sequence[Task], models: Mapping[str, bytes], how: How) -> Iterator[bytes]:
        """Yield the parts of tasks as they are finished.

        Raises InputError without Ray, where no cluster answers, or for an image that cannot be read; WorkError where
        the work fails, or where a node lacks files or has other versions.
        """
        with cluster(self.address):
            import ray

            workers = min(self.workers or self._most(), len(tasks))
            job = Job(
                [task.shard.to_bytes() for task in tasks],
                [task.number for task in tasks],
                [task.model for task in tasks],
                {name: ray.put(data) for name, data in models.items()},
                replace(how, threads=2),
                workers,
                self.gpus,
                versions(),
            )
            runner = ray.remote(num_cpus=0, resources=HEAD)(Runner).remote(ray.put(job))
            while (row := _answer(runner)) is not None:
                if row["error"]:
                    raise (InputError if row["wrong"] else WorkError)(row["error"])
                yield row["part"]

    def _most(self) -> int:
        import ray

        found = ray.cluster_resources()
        if self.gpus > found.get("GPU", 0):
            raise InputError(f"a worker asks for {self.gpus:g} GPU, and the cluster has none to give: leave --gpus out")
        return max(1, int(found.get("GPU", 0) / self.gpus if self.gpus else found.get("CPU", 1)))


def _answer(runner: ActorHandle[Runner]) -> Row | None:
    import ray

    try:
        found: Row | None = ray.get(runner.next.remote())
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, ray.exceptions.ActorDiedError | ray.exceptions.ActorUnavailableError):
            raise WorkError(
                "the process of a worker on Ray died again and again on the same shard, perhaps for want of memory"
            ) from error
        first = str(cause).strip().split("\n", 1)[0]
        raise WorkError(f"a shard could not be scored on Ray ({type(cause).__name__}: {first})") from error
    return found
