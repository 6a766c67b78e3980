"""The page at `/`: one document that loads nothing but what it asks this server for."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files

from amiss.explain.showing import INFERNO


@cache
def _parts() -> tuple[str, str, str]:
    """Document, style sheet and script of the package."""
    here = files("amiss.serve")
    document, style, script = (
        (here / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    return document, style, script.replace('"INFERNO"', json.dumps(INFERNO, separators=(",", ":")))


@cache
def page() -> str:
    """The whole document."""
    document, style, script = _parts()
    return document.replace("/* style */", style).replace("/* script */", script)


@cache
def policy() -> str:
    """The content security policy: this style sheet, this script, pictures in the page, and requests to the server."""
    _, style, script = _parts()
    return (
        f"default-src 'none'; img-src data: blob:; connect-src 'self'; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
