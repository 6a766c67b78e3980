"""What an actor of the pool does: it loads its model once, and scores shards one after the other."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping

from amiss.artifact.file import versions
from amiss.contracts import InputError, WorkError
from amiss.scale.pool import Row
from amiss.scale.shards import How, Task, from_bytes
from amiss.scale.work import Models, score_task


class Actor:
    """Scores shards with models, which `fetch` gets by name when they are first wanted."""

    def __init__(self, fetch: Callable[[str], bytes], how: How, gpus: float, wanted: Mapping[str, str]) -> None:
        self.models, self.how = Models(fetch, "cuda" if gpus else "cpu"), how
        self.differs = differing(wanted)

    def row(self, shard: bytes, number: int, model: str) -> Row:
        """Score a shard, serialized; what goes wrong is a sentence in the row."""
        if self.differs:
            return Row(part=b"", error=self.differs, wrong=False)
        try:
            return Row(
                part=score_task(Task(number, from_bytes(shard), model), self.models, self.how), error="", wrong=False
            )
        except (InputError, WorkError) as error:
            return Row(part=b"", error=str(error), wrong=isinstance(error, InputError))
        except (RuntimeError, OSError, MemoryError) as error:
            return Row(part=b"", error=f"{platform.node()}: {type(error).__name__}: {error}", wrong=False)


def differing(wanted: Mapping[str, str]) -> str:
    """Say which library is another than on the machine that gave the command; empty if none is."""
    for name, version in versions().items():
        if name != "python" and version != wanted[name]:  # Ray itself looks at Python's
            return f"{platform.node()} has {name} {version}, and {wanted[name]} is wanted: install the same versions"
    return ""
