"""Who may ask: the token, the name under which the server is asked, and pages of other sites."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from amiss.contracts import InputError
from amiss.serve.refusal import RefusedError

VARIABLE = "AMISS_TOKEN"
SHORTEST = 16
PAGE: Mapping[str, str] = {
    "/": "page.html",
    **{
        f"/page/{name}": name
        for name in (
            "page.css",
            "main.js",
            "chart.js",
            "closer.js",
            "entrance.js",
            "facts.js",
            "intake.js",
            "keys.js",
            "list.js",
            "pictures.js",
            "sending.js",
            "server.js",
            "session.js",
            "words.js",
        )
    },
}
"""Paths of the inspection page and their files. It holds nothing of a model: everything that it shows it has to ask."""
OPEN = frozenset(("/v2/health/live", "/v2/health/ready", *PAGE))
"""Paths that need no token: what probes ask, and the page where a token can be given."""


def read_token(path: Path | None) -> str | None:
    """Read the token from a file, or else from AMISS_TOKEN; None without either.

    Raises InputError for a file that cannot be read, and for a token that is short or no plain ASCII.
    """
    where = VARIABLE if path is None else str(path)
    if path is None:
        given = os.environ.get(VARIABLE)
        if given is None:
            return None
    else:
        try:
            given = path.read_text(encoding="ascii")
        except OSError as error:
            raise InputError(f"cannot read the token file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"the token in {path} is not plain ASCII; make one with: openssl rand -hex 32") from error
    token = given.strip()
    if len(token) < SHORTEST or not all(33 <= ord(letter) <= 126 for letter in token):
        raise InputError(
            f"the token in {where} is not {SHORTEST} or more ASCII characters without spaces; make one with: "
            "openssl rand -hex 32"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe(host: str, token: str | None, *, insecure: bool) -> None:
    """Raise InputError for a server that anybody on the network could use, unless that is meant."""
    if token is None and not insecure and not is_loopback(host):
        raise InputError(
            f"--host {host} can be reached from other machines and there is no token: give --token-file FILE or set "
            f"{VARIABLE}, or say --insecure to let anybody in"
        )


@dataclass(frozen=True)
class Access:
    """Decides whether a request may pass; without a token, only to a loopback name where `host` is loopback."""

    token: str | None = None
    host: str = "127.0.0.1"

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Raise RefusedError: 401 without the right token, 421 and 403 for requests that a foreign page has sent."""
        if self.token is None:
            self._check_page(headers)
        elif path not in OPEN and not self._knows(headers.get("authorization", "")):
            raise RefusedError(
                401, "give the server's token in the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )

    def _knows(self, given: str) -> bool:
        """Compare in a time that depends on neither the token nor its length."""
        kind, _, token = given.partition(" ")
        ours, theirs = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (self.token or "", token))
        return hmac.compare_digest(ours, theirs) and kind.lower() == "bearer"

    def _check_page(self, headers: Mapping[str, str]) -> None:
        """Without a token a browser on this machine could be made to ask by any page that it shows."""
        host = headers.get("host", "")
        name = _name_of(host)
        if is_loopback(self.host) and not (is_loopback(name) or name == self.host):
            raise RefusedError(421, f"this server is asked for as {host!r}; accepted are localhost and 127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise RefusedError(403, f"a page of {origin!r} may not use this server; accepted is its own page")


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
