"""Ranges of hyperparameters, checked when a method is made."""

from __future__ import annotations

from math import inf

from amiss.contracts import InputError, Method


def within(hp: Method, **ranges: tuple[float, float]) -> None:
    """Raise InputError, by name, for a field that is infinite or outside its inclusive range; None is not checked."""
    for name, (low, high) in ranges.items():
        value = getattr(hp, name)
        if value is not None and not (low <= value <= high and value != inf):
            accepted = f"at least {low:g}" if high == inf else f"from {low:g} to {high:g}"
            accepted += ", and finite" if value == inf else ""
            raise InputError(f"{type(hp).__name__} was given {name}={value}: it must be {accepted}")
