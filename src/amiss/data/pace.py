"""Progress that is told at a readable pace."""

from __future__ import annotations

import time
from collections.abc import Callable

from amiss.plain import Progress

_INTERVAL = 0.1  # seconds


def paced(progress: Progress | None, what: str, total: int) -> Callable[[int], None]:
    """Return a function of the number done that tells `progress` at most ten times a second, and always the end."""
    last = -_INTERVAL

    def tell(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if progress is not None and (done == total or now - last >= _INTERVAL):
            last = now
            progress(what, done, total, "")

    return tell
