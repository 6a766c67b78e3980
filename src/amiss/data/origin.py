"""What a fit was given, as its model file remembers it: from where its images came, and how they were read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from amiss.data.reading import Reading
from amiss.data.store import OnBad


@dataclass(frozen=True)
class Origin:
    """Paths as they were given; None where images came from memory or from a list, or are not remembered."""

    normal: str | None = None
    known: str | None = None
    """Known anomalies of a semi-supervised fit."""
    reading: Reading = field(default_factory=Reading)

    @classmethod
    def of(cls, normal: object, known: object, reading: Reading) -> Origin:
        """Remember what are paths."""
        return cls(_path(normal), _path(known), reading)

    @classmethod
    def of_record(cls, record: Mapping[str, object]) -> Origin:
        """Read what a model's record remembers."""
        given = record.get("given")
        if not isinstance(given, Mapping):
            return cls()
        on_bad: OnBad = next((known for known in get_args(OnBad) if known == given.get("on_bad")), "stop")
        reading = Reading(given.get("recursive") is True, _text(given.get("group_by")), on_bad)
        return cls(_text(given.get("normal")), _text(given.get("known")), reading)

    def to_record(self) -> dict[str, object]:
        """As JSON values."""
        how = self.reading
        return {
            "normal": self.normal,
            "known": self.known,
            "recursive": how.recursive,
            "group_by": how.group_by,
            "on_bad": how.on_bad,
        }


def _path(source: object) -> str | None:
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return path if isinstance(path, str) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
