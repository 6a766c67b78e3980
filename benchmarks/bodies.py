"""Requests as the bytes that go over the wire, made once and sent many times."""

from __future__ import annotations

from collections.abc import Sequence

BOUNDARY = "amiss-boundary-7f3a"
File = tuple[str, bytes]


def form(files: Sequence[File], field: str = "files", boundary: str = BOUNDARY) -> bytes:
    """A body of multipart/form-data with files by name."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def request(
    path: str,
    body: bytes,
    kind: str = f"multipart/form-data; boundary={BOUNDARY}",
    *,
    method: str = "POST",
    headers: Sequence[tuple[str, str]] = (),
    length: int | str | None = None,
) -> bytes:
    """A whole request; length: what Content-Length says, if not the truth."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
