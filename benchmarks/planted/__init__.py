"""Faults to plant, one list for each part of the library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One fault: a file under src/amiss, texts that stand there once, what replaces them, and tests that must fail."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: str
