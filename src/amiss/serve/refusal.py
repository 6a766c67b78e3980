"""How a request is refused: a status, and one sentence that names what is wrong and what is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class BadFile:
    """A file of a request that is no image, and why."""

    index: int
    """Its place in the request, from 0: names may stand twice, and browsers change some."""
    image_path: str
    error: str


@dataclass(eq=False)
class RefusedError(Exception):
    """An answer that is no result; `sentence` is all that the client is told, besides `files` if some were bad."""

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[BadFile] = ()

    def body(self, request_id: str) -> dict[str, object]:
        """What is sent as JSON; `error` is also the Open Inference Protocol's name for it."""
        named = {"files": [asdict(bad) for bad in self.files]} if self.files else {}
        return {"error": self.sentence, "request_id": request_id, **named}


def busy(sentence: str, seconds: float = 1) -> RefusedError:
    """Too much is under way: 429, with the whole seconds after which to try again."""
    return RefusedError(
        429, f"{sentence}; try again later", {"Retry-After": str(max(1, min(60, round(seconds + 0.5))))}
    )
