"""The application: routes, what a refusal looks like, and the tasks that run beside requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from amiss.serve import inspection, protocol, scoring
from amiss.serve.access import Access
from amiss.serve.guard import Guard, refusal
from amiss.serve.refusal import RefusedError
from amiss.serve.serving import Serving

log = logging.getLogger("amiss.serve")


def create_app(
    serving: Serving, access: Access, *, look_every: float = 1.0, started: Callable[[], None] = lambda: None
) -> ASGIApp:
    """Make the application of a server.

    look_every: seconds from one look at the model files to the next; a replaced one is loaded. started: told
    once requests are answered.
    """
    inner = FastAPI(
        title="amiss",
        version=version("amiss"),
        description="Scores images by how unlike normal ones they are, at a guaranteed false-alarm rate.",
        docs_url=None,  # both pages of documentation load their scripts from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=lambda _: _beside(serving, look_every, started),
    )
    inner.state.serving = serving
    inner.include_router(inspection.make_router())
    inner.include_router(scoring.router)
    inner.include_router(protocol.router)
    for kind, handler in (
        (RefusedError, _refused),
        (HTTPException, _http_error),
        (RequestValidationError, _invalid),
        (Exception, _failed),
    ):
        inner.add_exception_handler(kind, handler)
    return Guard(inner, serving.limits, access, serving.metrics)


@asynccontextmanager
async def _beside(serving: Serving, look_every: float, started: Callable[[], None]) -> AsyncIterator[None]:
    """Look after model files while the server runs; in the end finish what was accepted."""
    serving.metrics.watch(serving.models)
    watching = asyncio.create_task(_watch(serving, look_every))
    serving.ready = True
    started()
    try:
        yield
    finally:
        serving.ready = False
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        for model in serving.models.values():
            await asyncio.to_thread(model.close)
        log.info("stopped")


async def _watch(serving: Serving, look_every: float) -> None:
    while True:
        await asyncio.sleep(look_every)
        for model in serving.models.values():
            try:
                await asyncio.to_thread(model.refresh)
            except Exception:  # the server has to go on, with the model that it has
                log.exception("a model file could not be looked at", extra={"model": model.name})


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return refusal(error, request.state.request_id)


async def _http_error(request: Request, error: Exception) -> Response:
    """The router's own refusals, in our form."""
    if not isinstance(error, HTTPException):
        raise error
    told = {
        404: f"there is nothing at {request.url.path[:200]!r}",
        405: f"{request.method} is not what {request.url.path[:200]!r} answers to",
    }.get(error.status_code, str(error.detail))
    return refusal(RefusedError(error.status_code, told, error.headers or {}), request.state.request_id)


async def _invalid(request: Request, error: Exception) -> Response:
    """Query values that are not what a route takes."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return refusal(RefusedError(400, f"{where}: {first['msg']}"), request.state.request_id)


async def _failed(request: Request, _: Exception) -> Response:
    """What nobody expected; the guard logs it."""
    sentence = "the server failed; its log tells more under this request's id"
    return refusal(RefusedError(500, sentence), request.state.request_id)
