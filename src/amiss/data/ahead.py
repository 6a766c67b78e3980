"""Work done ahead in threads: results come in order, and a bounded number of them waits."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
_BATCH = 16  # items per task: handing a task over costs about as much as decoding one small image


def map_ahead(
    work: Callable[[S], T],
    items: Iterable[S],
    workers: int | None = None,
    *,
    ahead: int = 0,
    together: int = _BATCH,
) -> Generator[T]:
    """Yield `work(item)` in the order of `items`, computed in `workers` threads; its errors are raised in their turn.

    Items are taken as they are needed, in the caller's thread, and handed over `together`. About `ahead` of them, and
    at least two times as many for each thread, are under way or waiting, however many there are. Threads default to one
    for each processor, at most 16.
    """
    workers = workers or min(16, os.cpu_count() or 1)
    room = max(2 * workers, -(-ahead // together))
    rest = iter(items)
    waiting: deque[Future[list[T]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            while True:
                while len(waiting) < room and (batch := list(islice(rest, together))):
                    waiting.append(pool.submit(_each, work, batch))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _each(work: Callable[[S], T], batch: list[S]) -> list[T]:
    return [work(item) for item in batch]
