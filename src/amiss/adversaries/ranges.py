"""Ranges of a maker's settings, checked when it is made."""

from __future__ import annotations

from math import inf

from amiss.contracts import InputError


def check_ranges(part: object, **ranges: tuple[float, float]) -> None:
    """Raise InputError, by name, for a field that is infinite or outside its inclusive range; None is not checked."""
    for name, (low, high) in ranges.items():
        value = getattr(part, name)
        if value is not None and not (low <= value <= high and value != inf):
            accepted = f"at least {low:g} and finite" if high == inf else f"from {low:g} to {high:g}"
            raise InputError(f"{type(part).__name__} was given {name}={value}: it must be {accepted}")
