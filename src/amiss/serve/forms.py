"""multipart/form-data (RFC 7578) that is in memory as a whole: parts are found by searching, not byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

from amiss.serve.refusal import RefusedError

BOUNDARY_LETTERS = 70
"""Most in a boundary (RFC 2046)."""
HEAD_BYTES = 16_000
"""Most in the headers of one part."""


@dataclass(frozen=True)
class Part:
    """One part of a form; `filename` is None where it has none, so that it is a field and no file."""

    name: str
    filename: str | None
    content: bytes


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names; raises RefusedError (400) where it names none that can be one."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= BOUNDARY_LETTERS:
        raise _broken(f"its Content-Type names no boundary of 1 to {BOUNDARY_LETTERS} characters")
    return boundary


def parts_of(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Go through the parts of a form; raises RefusedError (400) where it is broken."""
    dashes = b"--" + boundary
    at = 0 if body.startswith(dashes) else body.find(b"\r\n" + dashes) + 2
    if at == 1:
        raise _broken("its boundary does not stand in it")
    at += len(dashes)
    while not body.startswith(b"--", at):
        if not body.startswith(b"\r\n", at):
            raise _broken("a boundary is followed by something else than a part")
        head = at + 2
        content = body.find(b"\r\n\r\n", at, head + HEAD_BYTES) + 4
        end = -1 if content < 4 else body.find(b"\r\n" + dashes, content)
        if end < 0:
            raise _broken("it ends inside a part" if content > 3 else "a part has no headers, or endless ones")
        yield _part(body[head : content - 4], body[content:end])
        at = end + 2 + len(dashes)


def _part(head: bytes, content: bytes) -> Part:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            kind, options = parse_options_header(value.strip().decode("latin-1"))
            name, filename = options.get(b"name"), options.get(b"filename")
            if kind != b"form-data" or name is None:
                break
            return Part(_text(name), None if filename is None else _text(filename), content)
    raise _broken("a part has no name: Content-Disposition must be form-data with a name")


def _text(value: bytes) -> str:
    """UTF-8 as browsers send it, or else what the bytes are in Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _broken(reason: str) -> RefusedError:
    return RefusedError(400, f"the form cannot be read: {reason}")
