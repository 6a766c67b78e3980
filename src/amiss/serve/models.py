"""The models of a server: each has its thread, its queue, and a file whose replacement takes its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.table import ScoreTable
from amiss.contracts import InputError, WorkError
from amiss.serve.batching import Batcher, Scores, Scoring
from amiss.serve.crossing import Crossing
from amiss.serve.decoding import Upload, decode_uploads
from amiss.serve.limits import Limits
from amiss.serve.loaded import OF_FILES, Decision, Loaded, load_file
from amiss.serve.refusal import busy
from amiss.serve.rolling import DriftOptions

T = TypeVar("T")
Stamp = tuple[int, int, int]
"""Inode, size and time of change of a file; another one means another file, whatever the clock did."""
Pixels = NDArray[np.generic]
Scored = Callable[[str, int, float], None]
"""Told of a model's name, the number of images of one batch, and its seconds."""

log = logging.getLogger("amiss.serve")


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class Model:
    """A model file under its name; all methods but `refresh` belong to the event loop's thread.

    Raises InputError for a file that is no model, WorkError for one that cannot score.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        limits: Limits,
        *,
        decoders: Executor,
        device: str = "auto",
        drift: DriftOptions | None = None,
        decision: Decision = OF_FILES,
        scored: Scored | None = None,
    ) -> None:
        self.name, self.path, self.limits = name, path, limits
        self.held = 0
        """Images that are accepted and not yet answered."""
        self._coming = 0
        self._seconds_per_image = 0.0
        self._crossing = Crossing()
        self._decoders, self._device, self._drift = decoders, device, drift or DriftOptions()
        self.decision = decision
        self._told = scored
        self._stamp = stamp_of(path)
        self.current: Loaded = load_file(path, device, self._drift, decision)
        """What new requests are decoded for."""
        self.reloads, self.failures = 0, 0
        self._batcher = Batcher(
            name,
            most=limits.batch,
            wait=limits.wait_ms / 1000,
            expected=lambda: self._coming,
            scored=self._on_scored,
        )

    async def score_files(self, uploads: Sequence[Upload]) -> ScoreTable:
        """Decode and score image files; raises RefusedError for bad files and where too much is under way."""
        return await self.score([u.name for u in uploads], self._decoding(uploads))

    async def score(self, names: Sequence[str], read: Callable[[Loaded], Pixels]) -> ScoreTable:
        """Score images (N, C, H, W) that `read` makes in a thread, in the model's layout; it may raise RefusedError."""
        async with self._accepted(len(names)):
            loaded = self.current
            pixels = await self._decoded(loaded, read, len(names))
            scores = await self._crossing.wait(self._batcher.submit(loaded, pixels))
            return loaded.tabulate(names, scores)

    async def work_on(self, upload: Upload, work: Callable[[Loaded, Pixels], T]) -> T:
        """Decode one file and do other work on it (1, C, H, W) in the model's thread; raises RefusedError likewise."""
        async with self._accepted(1):
            loaded = self.current
            pixels = await self._decoded(loaded, self._decoding([upload]), 1)
            return await self._crossing.wait(self._batcher.call(lambda: work(loaded, pixels)))

    def refresh(self) -> None:
        """Load the file if it was replaced; one that cannot be used is logged, and the old model keeps serving."""
        stamp = stamp_of(self.path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            if stamp is None:
                raise InputError(f"{self.path} is gone")
            self.current = load_file(self.path, self._device, self._drift, self.decision)
        except (InputError, WorkError) as error:
            self.failures += 1
            log.error("the old model keeps serving", extra={"model": self.name, "error": str(error)})
            return
        self.reloads += 1
        log.info("model replaced", extra={"model": self.name, "path": str(self.path)})

    def close(self) -> None:
        """Finish what was accepted, and end the model's thread."""
        self._batcher.close()

    @asynccontextmanager
    async def _accepted(self, n: int) -> AsyncIterator[None]:
        """Hold places in the queue for a limited time; raises RefusedError (429) where they are taken or time is up."""
        if self.held + n > self.limits.queue:
            raise busy(
                f"model {self.name} has {self.held} images under way, and takes {self.limits.queue} at a time",
                self.held * self._seconds_per_image,
            )
        self.held += n
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                yield
        except TimeoutError as error:
            raise busy(f"model {self.name} did not answer within {self.limits.answer_seconds:g} s") from error
        finally:
            self.held -= n

    def _decoding(self, uploads: Sequence[Upload]) -> Callable[[Loaded], Pixels]:
        until = time.monotonic() + self.limits.answer_seconds  # nobody waits for what is decoded after that
        return lambda to: decode_uploads(uploads, to.layout, self.limits.pixels, until)

    async def _decoded(self, loaded: Loaded, read: Callable[[Loaded], Pixels], n: int) -> Pixels:
        self._coming += n
        try:
            return await self.in_decoder(lambda: read(loaded))
        finally:
            self._coming -= n

    async def in_decoder(self, work: Callable[[], T]) -> T:
        """Do work in one of the threads that decode, which are as many as the processor has cores."""
        return await self._crossing.wait(self._decoders.submit(work))

    def _on_scored(self, loaded: Scoring, scores: Scores, seconds: float) -> None:
        """In the model's thread: learn how long an image takes, and look for drift."""
        self._seconds_per_image += 0.1 * (seconds / len(scores) - self._seconds_per_image)
        if self._told is not None:
            self._told(self.name, len(scores), seconds)
        if loaded is not self.current:
            return
        changed = self.current.rolling.add(scores)
        if changed is not None:
            told = log.warning if changed.drifted else log.info
            told("drift" if changed.drifted else "drift is over", extra={"model": self.name, **asdict(changed)})
