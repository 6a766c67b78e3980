"""One thread for each model, which scores what has come meanwhile as one batch."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Scores = NDArray[np.float64]


class Scoring(Protocol):
    """What turns images (N, C, H, W) into scores (N,), higher = more anomalous."""

    def score(self, pixels: NDArray[np.generic]) -> Scores:
        """Return scores (N,) of images (N, C, H, W)."""
        ...


@dataclass(eq=False)
class _Job:
    """Images of one request and the model for which they were decoded, or other work that needs the thread."""

    scoring: Scoring | None
    pixels: NDArray[np.generic]
    scores: Future[Scores] = field(default_factory=Future)
    other: Callable[[], None] | None = None


class Batcher:
    """Collects images until a batch is full, nothing more is on its way, or `wait` seconds have passed.

    most: images of a batch; one request that has more is one batch. expected: how many images are being decoded now; a
    batch does not wait where there are none, so that a lone client is answered at once. scored: told in the thread of
    the model, the scores and the seconds of each batch.
    """

    def __init__(
        self,
        name: str,
        *,
        most: int,
        wait: float,
        expected: Callable[[], int],
        scored: Callable[[Scoring, Scores, float], None],
    ) -> None:
        self.most, self.wait, self.expected, self.scored = most, wait, expected, scored
        self._jobs: deque[_Job] = deque()
        self._change = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"score {name}", daemon=True)
        self._thread.start()

    def submit(self, scoring: Scoring, pixels: NDArray[np.generic]) -> Future[Scores]:
        """Queue images (N, C, H, W); the future gives their scores (N,), or what was raised."""
        job = _Job(scoring, pixels)
        self._put(job)
        return job.scores

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Queue other work for the thread, since a scorer is used by one at a time."""
        done: Future[T] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 - handed to the one who waits for it
                done.set_exception(error)

        self._put(_Job(None, np.empty(0), other=run))
        return done

    def close(self) -> None:
        """Finish what was queued, then end the thread."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join()

    def _put(self, job: _Job) -> None:
        with self._change:
            if self._stopping:
                raise RuntimeError("the server is stopping")
            self._jobs.append(job)
            self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._jobs and not self._stopping:
                    self._change.wait()
                if not self._jobs:
                    return
                batch = self._collect()
            if batch[0].other is not None:
                batch[0].other()
            else:
                self._score(batch)

    def _collect(self) -> list[_Job]:
        """Take the jobs of one batch; the lock is held, save while waiting."""
        batch = [self._jobs.popleft()]
        if batch[0].other is not None:
            return batch
        images, until = len(batch[0].pixels), time.monotonic() + self.wait
        while images < self.most:
            if self._jobs:
                job = self._jobs[0]
                if job.scoring is not batch[0].scoring or images + len(job.pixels) > self.most:
                    break
                batch.append(self._jobs.popleft())
                images += len(job.pixels)
                continue
            left = until - time.monotonic()
            if left <= 0 or self._stopping or not self.expected():
                break
            self._change.wait(left)
        return batch

    def _score(self, batch: Sequence[_Job]) -> None:
        """Score a batch; if that fails, each request alone, so that one cannot spoil the others'."""
        batch = [job for job in batch if job.scores.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            scores = self._scores(batch)
        except Exception as error:  # noqa: BLE001 - whatever a scorer raises, the thread has to go on
            for job in batch:
                self._score_alone(job, error if len(batch) == 1 else None)
            return
        at = 0
        for job in batch:
            job.scores.set_result(scores[at : at + len(job.pixels)])
            at += len(job.pixels)

    def _scores(self, batch: Sequence[_Job]) -> Scores:
        scoring = batch[0].scoring
        if scoring is None:
            raise TypeError("a batch has no model")
        started = time.monotonic()
        scores = scoring.score(np.concatenate([job.pixels for job in batch]) if len(batch) > 1 else batch[0].pixels)
        self.scored(scoring, scores, time.monotonic() - started)
        return scores

    def _score_alone(self, job: _Job, known: Exception | None) -> None:
        try:
            if known is not None:
                raise known
            scores = self._scores([job])
        except Exception as error:  # noqa: BLE001 - handed to the one who waits for it
            job.scores.set_exception(error)
            return
        job.scores.set_result(scores)
