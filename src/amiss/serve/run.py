"""From options to a server that listens, and stops without losing what it accepted."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from amiss.contracts import InputError
from amiss.serve.limits import Limits
from amiss.serve.loaded import OF_FILES, Decision
from amiss.serve.rolling import DriftOptions

EXTRA = 'serving needs FastAPI and uvicorn: pip install "amiss[serve]"'
BACKLOG = 512


@dataclass(frozen=True)
class Plan:
    """What to serve, where, to whom."""

    models: Sequence[Path]
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)
    drift: DriftOptions = field(default_factory=DriftOptions)
    decision: Decision = OF_FILES
    look_every: float = 1.0
    """Seconds from one look at the model files to the next."""


def by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Name models by their files' stems; raises InputError for a name that stands twice or cannot be asked for."""
    found: dict[str, Path] = {}
    for path in paths:
        name = path.stem
        if name in found:
            raise InputError(f"{found[name]} and {path} would both be called {name!r}: rename one of the files")
        if not name.isprintable() or "/" in name or not name:
            raise InputError(f"{path} cannot be served under its name: rename the file")
        found[name] = path
    return found


def require_extra() -> None:
    """Raise InputError where the extra is not installed, before anything is loaded."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(EXTRA) from error


def listen(host: str, port: int) -> socket.socket:
    """Open the socket; raises InputError that names the place where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen on {host}:{port}: {reason}; choose another --host or --port") from error


def serve(plan: Plan, started: Callable[[str], None]) -> None:
    """Load the models, then answer until SIGTERM or Ctrl-C; what was accepted by then is answered.

    started: told of the address once requests are answered. Raises InputError for models that cannot be used and an
    address that is taken.
    """
    require_extra()
    from amiss.serve.server import run

    paths = by_stem(plan.models)
    with listen(plan.host, plan.port) as listening:
        port = listening.getsockname()[1]
        shown = f"[{plan.host}]" if ":" in plan.host else plan.host
        with ThreadPoolExecutor(cores(), thread_name_prefix="decode") as decoders:
            run(plan, paths, decoders, listening, lambda: started(f"http://{shown}:{port}"))


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
