"""Fits many detectors at once: in processes of this machine, or on Ray."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from amiss.contracts import InputError, Progress
from amiss.scale.cluster import cluster
from amiss.scale.each import Answer, Job, fit_job

if TYPE_CHECKING:
    from ray import ObjectRef

RETRIES = 3
"""How often Ray begins a fit again when its node or its process dies."""

AHEAD = 2
"""Fits handed to Ray for each of its processors; the rest wait here."""


@dataclass(frozen=True)
class InProcesses:
    """The fitter that works in `count` processes; one that is killed fails its own job and is replaced."""

    count: int

    def __call__(self, jobs: Sequence[Job], progress: Progress) -> Generator[tuple[Job, Answer]]:
        """Yield each job with its answer as it is finished."""
        waiting = deque(jobs)
        running: dict[Future[Answer], tuple[Job, ProcessPoolExecutor]] = {}
        try:
            for _ in range(min(self.count, len(jobs))):
                _hand(waiting, self._process(), running)
            while running:
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    job, process = running.pop(future)
                    answer, alive = _outcome(future)
                    if waiting:
                        _hand(waiting, process if alive else self._process(), running)
                    if not alive or not waiting:
                        process.shutdown(wait=False)
                    yield job, answer
        finally:
            for future, (_, process) in running.items():
                future.cancel()
                process.shutdown(wait=False, cancel_futures=True)

    def _process(self) -> ProcessPoolExecutor:
        """A pool of one, so that a process that dies takes no other with it."""
        threads = max(1, (os.cpu_count() or 1) // self.count)
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=torch.set_num_threads, initargs=(threads,))


def _hand(
    waiting: deque[Job], process: ProcessPoolExecutor, running: dict[Future[Answer], tuple[Job, ProcessPoolExecutor]]
) -> None:
    job = waiting.popleft()
    running[process.submit(fit_job, job)] = (job, process)


def _outcome(future: Future[Answer]) -> tuple[Answer, bool]:
    """The answer, and whether the process still lives."""
    try:
        return future.result(), True
    except BrokenProcessPool:
        return Answer(error="its process was killed, perhaps for want of memory: give fewer --jobs"), False


@dataclass(frozen=True)
class FitOnRay:
    """The fitter that works on Ray: a task for each job, on one processor and a share of a GPU.

    address: of a running cluster, as Ray takes it; None starts one on this machine.
    """

    address: str | None = None
    gpus: float = 0.0

    def __call__(self, jobs: Sequence[Job], progress: Progress) -> Generator[tuple[Job, Answer]]:
        """Yield each job with its answer as it is finished.

        Raises InputError without Ray, where no cluster answers, or for a share of a GPU that it does not have.
        """
        with cluster(self.address):
            import ray

            if self.gpus > ray.cluster_resources().get("GPU", 0):
                raise InputError(
                    f"a fit asks for {self.gpus:g} GPU, and the cluster has none to give: leave --gpus out"
                )
            task = ray.remote(num_cpus=1, num_gpus=self.gpus, max_retries=RETRIES)(_remote)
            waiting = deque(jobs)
            running: dict[ObjectRef[Answer], Job] = {}
            while waiting or running:
                room = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
                while waiting and len(running) < room:
                    job = waiting.popleft()
                    running[task.remote(job)] = job
                ready, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
                for reference in ready:
                    yield running.pop(reference), _fetched(reference)


def _remote(job: Job) -> Answer:
    torch.set_num_threads(1)
    return fit_job(job)


def _fetched(reference: ObjectRef[Answer]) -> Answer:
    import ray

    try:
        found: Answer = ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None) or error
        first = str(cause).strip().split("\n", 1)[0]
        return Answer(error=f"it could not be fitted on Ray ({type(cause).__name__}: {first})")
    return found
