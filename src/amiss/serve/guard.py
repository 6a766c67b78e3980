"""The outermost layer: every request gets an id, is checked, limited, counted and logged, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from amiss.serve.access import Access
from amiss.serve.limits import Limits
from amiss.serve.metrics import Metrics
from amiss.serve.refusal import RefusedError, busy

log = logging.getLogger("amiss.serve")
ID = "X-Request-ID"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Headers of every answer; answers that are no page also have NOTHING as their content security policy."""
NOTHING = "default-src 'none'; frame-ancestors 'none'"
DRAINED_SECONDS = 5.0
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def json_response(value: object, status: int = 200) -> Response:
    """An answer in JSON; ASCII, since a name from a client need not be valid text."""
    return Response(json.dumps(value, allow_nan=False), status, media_type="application/json")


def refusal(error: RefusedError, request_id: str) -> Response:
    """The answer for a request that is refused."""
    response = json_response(error.body(request_id), error.status)
    response.headers.update(error.headers)
    return response


@dataclass(eq=False)
class Held:
    """Bytes of bodies that are in memory, over all requests."""

    most: int
    now: int = 0

    def take(self, size: int) -> None:
        """Hold so many more; raises RefusedError (429) where they do not fit."""
        if self.now + size > self.most:
            raise busy(f"the server holds {self.now / 1e6:.0f} MB of requests, and takes {self.most / 1e6:g} MB")
        self.now += size

    def give_back(self, size: int) -> None:
        """Hold so many less."""
        self.now -= size


@dataclass(eq=False)
class _Body:
    """Reads a body within its limits of size and time; `seen` counts what came, `held` what is accounted for."""

    receive: Receive
    limits: Limits
    budget: Held
    declared: int | None
    seen: int = 0
    held: int = 0
    until: float = field(default_factory=time.monotonic)
    complete: bool = False

    def start(self) -> None:
        """Refuse at once what is known to be too large; raises RefusedError."""
        if self.declared is not None:
            self._require(self.declared)
            self._hold(self.declared)

    async def __call__(self) -> Message:
        if self.complete:
            return await self.receive()
        try:
            async with asyncio.timeout(self.until + self.limits.body_seconds - time.monotonic()):
                message = await self.receive()
        except TimeoutError as error:
            raise RefusedError(
                408, f"the body did not arrive within {self.limits.body_seconds:g} s", {"Connection": "close"}
            ) from error
        if message["type"] == "http.disconnect":
            self.complete = True
            raise RefusedError(400, "the client left before its request was complete")
        if message["type"] == "http.request":
            self.seen += len(message.get("body", b""))
            self._require(self.seen)
            if self.seen > self.held:
                self._hold(self.seen - self.held)
            self.complete = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read what is still being sent, and forget it: a client that cannot send all would not see the answer."""
        most = self.seen + 4 * self.limits.body_bytes
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                while not self.complete and self.seen <= most:
                    message = await self.receive()
                    self.seen += len(message.get("body", b""))
                    self.complete = not message.get("more_body", False)
        except TimeoutError:
            return

    def _require(self, size: int) -> None:
        if size > self.limits.body_bytes:
            raise RefusedError(413, f"the body is larger than {self.limits.body_mb:g} MB, the limit for one request")

    def _hold(self, size: int) -> None:
        self.budget.take(size)
        self.held += size


class Guard:
    """Wraps an application; what it refuses itself never reaches it, and what fails in it leaves no trace outside."""

    def __init__(self, app: ASGIApp, limits: Limits, access: Access, metrics: Metrics) -> None:
        self.app, self.limits, self.access, self.metrics = app, limits, access, metrics
        self.budget = Held(limits.held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Exchange(self, scope, receive, send).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.scope, self.outward = guard, scope, send
        self.headers = Headers(scope=scope)
        given = self.headers.get(ID, "")
        self.id = given if _ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        scope.setdefault("state", {})["request_id"] = self.id
        scope["state"]["facts"] = self.facts = dict[str, object]()
        declared = self.headers.get("content-length", "")
        size = int(declared) if declared.isdecimal() and len(declared) < 20 else None
        self.body = _Body(receive, guard.limits, guard.budget, size)
        self.status = 0
        self.started = time.monotonic()

    async def run(self) -> None:
        try:
            self.guard.access.check(self.scope["path"], self.headers)
            if self.headers.get("content-encoding", "identity") != "identity":
                raise RefusedError(415, "the body is compressed; accepted is a body as it is")
            self.body.start()
            await self.guard.app(self.scope, self.body, self.send)
        except RefusedError as error:
            await self._answer(error)
        except Exception:  # nothing of it may leave the server, and everything has to be in the log
            log.exception("failed", extra={"request_id": self.id})
            await self._answer(RefusedError(500, "the server failed; its log tells more under this request's id"))
        finally:
            self.guard.budget.give_back(self.body.held)
            self._record()

    async def _answer(self, error: RefusedError) -> None:
        if not self.status:
            await refusal(error, self.id)(self.scope, self.body.receive, self.send)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.body.complete and "expect" not in self.headers:
                await self.body.drain()
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[ID] = self.id
            for name, value in SECURITY.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", NOTHING)
        await self.outward(message)

    def _record(self) -> None:
        seconds = time.monotonic() - self.started
        route = getattr(self.scope.get("route"), "path", "other")
        method = self.scope["method"] if self.scope["method"] in ("GET", "HEAD", "POST") else "other"
        self.guard.metrics.requests.labels(route, method, str(self.status)).inc()
        self.guard.metrics.seconds.labels(route).observe(seconds)
        client = self.scope.get("client")
        log.info(
            "request",
            extra={
                "request_id": self.id,
                "method": self.scope["method"],
                "path": self.scope["path"][:200],
                "status": self.status,
                "seconds": round(seconds, 4),
                "bytes": self.body.seen,
                "client": client[0] if client else None,
                **self.facts,
            },
        )
