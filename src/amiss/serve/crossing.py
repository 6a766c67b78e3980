"""From the threads that decode and score back to the event loop, many results at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Crossing:
    """Wakes the event loop once for all results that have come meanwhile: each waking is a system call."""

    def __init__(self) -> None:
        self._arrived: deque[Callable[[], None]] = deque()
        self._woken = False

    async def wait(self, future: Future[T]) -> T:
        """Wait in the event loop for what a thread makes, or what it raises; who stops waiting cancels it."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(lambda done: self._arrive(loop, lambda: _hand_over(done, waiting)))
        try:
            return await waiting
        finally:
            future.cancel()  # one that is done stays done

    def _arrive(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[], None]) -> None:
        """In any thread. What is appended before `_woken` is read as true is seen by the delivery that resets it."""
        self._arrived.append(deliver)
        if not self._woken and not loop.is_closed():
            self._woken = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self._arrived:
            self._arrived.popleft()()


def _hand_over(done: Future[T], waiting: asyncio.Future[T]) -> None:
    if waiting.done():  # nobody waits any more
        return
    if done.cancelled():
        waiting.cancel()
    elif (error := done.exception()) is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(done.result())
