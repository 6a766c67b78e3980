"""The inspection page: files that the server reads once, each at an address of its own, with a strict policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from types import MappingProxyType

from fastapi import APIRouter
from starlette.responses import Response

from amiss.serve.access import PAGE

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",  # blob: images that were dropped; data: pictures in the answers of /explain
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # text can become neither markup nor code, whatever it holds
        "trusted-types 'none'",
    )
)
"""Content security policy: the page gets everything from this server, and nothing runs that stands in it."""
KINDS = MappingProxyType({"html": "text/html", "css": "text/css", "js": "text/javascript"})


def make_router() -> APIRouter:
    """Routes of the page, which are no part of the described interface."""
    router = APIRouter(include_in_schema=False)
    folder = files("amiss.serve") / "page"
    for path, name in PAGE.items():
        kind = KINDS[name.rpartition(".")[2]]
        router.add_api_route(path, _answering((folder / name).read_bytes(), kind), methods=["GET", "HEAD"])
    return router


def _answering(body: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return Response(body, headers={"Content-Security-Policy": POLICY}, media_type=kind)

    return answer
