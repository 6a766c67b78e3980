"""Clients that cost little: one thread, many connections that stay open, requests that were encoded before."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Check = Callable[[int, bytes], str | None]
"""Takes status and body of an answer, gives what is wrong with it, or None."""


@dataclass(frozen=True)
class Asked:
    """A request and what its answer has to be."""

    kind: str
    data: bytes
    images: int
    check: Check


@dataclass
class Tally:
    """What became of requests."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of each answer, by the request's kind."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Answers by kind and status, such as "good 200"."""
    wrong: Counter[str] = field(default_factory=Counter)
    """What was wrong, how often."""
    images: int = 0
    """Images of requests that were answered right with 200."""
    reconnects: int = 0
    """Connections that the server closed after an answer."""
    took: float = 0.0
    """Seconds from the first request to the last answer."""


async def load(host: str, port: int, requests: Sequence[Sequence[Asked]], seconds: float, tally: Tally) -> None:
    """Keep a client for each list of requests busy for so long; each sends its list over and over."""
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(_client(host, port, own, until, tally) for own in requests))
    tally.took += time.perf_counter() - started


async def _client(host: str, port: int, own: Sequence[Asked], until: float, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    at = 0
    while time.perf_counter() < until:
        asked = own[at % len(own)]
        at += 1
        started = time.perf_counter()
        try:
            writer.write(asked.data)
            status, body, closes = await answer(reader)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            tally.wrong[f"{asked.kind}: {error!r}"[:200]] += 1
            closes = True
        else:
            tally.seconds.setdefault(asked.kind, []).append(time.perf_counter() - started)
            tally.statuses[f"{asked.kind} {status}"] += 1
            wrong = asked.check(status, body)
            if wrong is not None:
                tally.wrong[f"{asked.kind}: {wrong}"[:200]] += 1
            elif status == 200:
                tally.images += asked.images
        if closes:
            tally.reconnects += 1
            writer.close()
            reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Read an answer: status, body, and whether the connection ends with it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return status, await reader.read(), True
    length = int(head[at + 17 : head.index(b"\r\n", at + 2)])
    return status, await reader.readexactly(length), b"\r\nconnection: close" in head
