"""What stands in a model's record, which is JSON that another version may have written."""

from __future__ import annotations

from collections.abc import Mapping


def object_in(record: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The object under a key; an empty one if there is none."""
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def rows_in(record: Mapping[str, object], key: str) -> list[object]:
    """The list under a key; an empty one if there is none."""
    value = record.get(key)
    return value if isinstance(value, list) else []


def text_in(record: Mapping[str, object], key: str) -> str:
    """The value under a key as text; empty if there is none."""
    value = record.get(key)
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def number_in(record: Mapping[str, object], key: str) -> float:
    """The number under a key; 0 if there is none."""
    value = record.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
