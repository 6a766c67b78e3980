"""Progress for people: a bar on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TextIO

from amiss.plain import Progress


def silent(what: str, done: int, total: int, detail: str) -> None:
    """Report nothing."""


def renamed(progress: Progress, what: str) -> Progress:
    """Report the same under another name."""
    return lambda _, done, total, detail: progress(what, done, total, detail)


class Reporter:
    """Draws a bar that is redrawn at most ten times a second, or writes a line every few seconds.

    verbose: lines on a terminal too, and one for every change of the detail, such as the epoch.
    """

    def __init__(self, stream: TextIO | None = None, every: float = 5.0, *, verbose: bool = False) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.verbose, self.detail = verbose, ""
        self.terminal = self.stream.isatty() and os.environ.get("TERM") != "dumb" and not verbose
        self.every = 0.1 if self.terminal else every
        self.what = ""
        self.started = self.drawn = 0.0
        self.first = 0
        self.open = False

    def __call__(self, what: str, done: int, total: int, detail: str) -> None:
        """Show that `done` of `total` steps of `what` are done; total 0 means unknown."""
        now = time.monotonic()
        if what != self.what:
            self.close()
            self.what, self.started, self.drawn, self.first = what, now, now if not self.terminal else 0.0, done
        told = self.verbose and (detail != self.detail or done == total)
        if not told and now - self.drawn < self.every and not (done == total and self.open):
            return
        self.drawn, self.open, self.detail = now, True, detail
        self._draw(done, total, detail, now - self.started)

    def close(self) -> None:
        """End the line of a bar."""
        if self.open and self.terminal:
            self.stream.write("\n")
            self.stream.flush()
        self.open, self.what = False, ""

    def _draw(self, done: int, total: int, detail: str, seconds: float) -> None:
        count = f"{done:,}/{total:,}" if total else f"{done:,}"
        moved = done - self.first
        left = f" {_clock(seconds * (total - done) / moved)} left" if total and moved > 0 and done < total else ""
        tail = f"{count} {_clock(seconds)}{left}{'  ' + detail if detail else ''}"
        if not self.terminal:
            self.stream.write(f"{self.what}: {tail}\n")
            self.stream.flush()
            return
        columns = shutil.get_terminal_size().columns - 1
        room = min(24, columns - len(self.what) - len(tail) - 4)
        bar = ""
        if total and room >= 6:
            filled = min(room, room * done // total)
            bar = " [" + "#" * filled + "." * (room - filled) + "]"
        self.stream.write("\r" + f"{self.what}{bar} {tail}"[:columns].ljust(columns))
        self.stream.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
