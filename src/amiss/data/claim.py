"""A folder that one process at a time works in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Make and hold a folder while the block runs; False where another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield True  # two calls on one place are not told apart there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    else:
        yield True
    finally:
        os.close(descriptor)
