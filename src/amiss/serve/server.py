"""The server process: models, application and uvicorn, from the first signal of life to the last."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from amiss.contracts import WorkError
from amiss.serve.access import Access
from amiss.serve.app import create_app
from amiss.serve.logs import start_logging
from amiss.serve.metrics import Metrics
from amiss.serve.models import Model
from amiss.serve.run import Plan
from amiss.serve.serving import Serving

log = logging.getLogger("amiss.serve")


def build(
    plan: Plan,
    paths: Mapping[str, Path],
    decoders: Executor,
    started: Callable[[], None],
) -> uvicorn.Server:
    """Load the models and make the server; raises as `serve`."""
    metrics = Metrics()
    models = {
        name: Model(
            name,
            path,
            plan.limits,
            decoders=decoders,
            device=plan.device,
            drift=plan.drift,
            decision=plan.decision,
            scored=metrics.scored,
        )
        for name, path in paths.items()
    }
    app = create_app(
        Serving(models, plan.limits, metrics),
        Access(plan.token, plan.host),
        look_every=plan.look_every,
        started=started,
    )
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            http="h11",  # httptools, were it installed, would take headers and addresses without an end
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=plan.limits.connections,
            timeout_graceful_shutdown=round(plan.limits.body_seconds + plan.limits.answer_seconds) + 1,
        )
    )


def run(
    plan: Plan,
    paths: Mapping[str, Path],
    decoders: Executor,
    listening: socket.socket,
    started: Callable[[], None],
) -> None:
    """Answer on a socket that listens already, until a signal; raises as `serve`."""
    start_logging()

    def tell() -> None:
        log.info("serving", extra={"models": list(paths), "host": plan.host, "port": listening.getsockname()[1]})
        started()

    server = build(plan, paths, decoders, tell)
    with _quiet_signals():
        server.run(sockets=[listening])
    if not server.started:
        raise WorkError("the server did not start; its log says why")


@contextmanager
def _quiet_signals() -> Iterator[None]:
    """Let a signal that has stopped the server be over then; uvicorn raises it once more when all is done."""
    before = {kind: signal.signal(kind, lambda *_: None) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
