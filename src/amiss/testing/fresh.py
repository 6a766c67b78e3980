"""Fresh processes: each forked off one that has imported amiss and never fitted anything, which saves the imports."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

JOB, STDERR = "job.json", "stderr.txt"


def run(function: Callable[[Path], None], folder: Path) -> str | None:
    """Call a module's function on a folder in a fresh process; returns what went wrong, None if nothing did.

    The process finds the modules that this one finds.
    """
    job = {"module": function.__module__, "function": function.__name__, "path": sys.path}
    (folder / JOB).write_text(json.dumps(job), "utf-8")
    server = _server() if hasattr(os, "fork") else _start()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(str(folder)) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    if not hasattr(os, "fork"):
        _stop(server)
    if answer.strip() == "0":
        return None
    errors = folder / STDERR
    return errors.read_text("utf-8") if errors.exists() else "the process ended without a word"


def serve() -> None:
    """Answer job folders on standard input with exit codes on standard output, until the input ends."""
    importlib.import_module("amiss.testing")
    for line in sys.stdin:
        folder = Path(json.loads(line))
        if not hasattr(os, "fork"):
            code = _work(folder)
        elif child := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            os._exit(_work(folder))
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _work(folder: Path) -> int:
    """Do a folder's job; what it raises is written beside it."""
    try:
        job = json.loads((folder / JOB).read_text("utf-8"))
        sys.path[:] = job["path"]
        getattr(importlib.import_module(job["module"]), job["function"])(folder)
    except BaseException:  # noqa: BLE001  the process ends here, and whoever asked reads why
        (folder / STDERR).write_text(traceback.format_exc(), "utf-8")
        return 1
    return 0


@cache
def _server() -> subprocess.Popen[str]:
    server = _start()
    atexit.register(_stop, server)
    return server


def _start() -> subprocess.Popen[str]:
    call = [sys.executable, "-m", "amiss.testing"]
    return subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  this interpreter


def _stop(server: subprocess.Popen[str]) -> None:
    server.communicate()
