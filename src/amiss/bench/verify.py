"""Runs a committed cell again and compares: is this number real?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amiss.bench.cell import Cell
from amiss.bench.recipe import trial_value
from amiss.bench.results import Results, Row

SAME, OTHER = 1e-6, 0.02
"""Most that an AUROC may differ: on the same kind of machine with the same versions and threads, and otherwise.

Training is a long chain of rounded sums, which another processor or version rounds otherwise; after thousands of steps
the weights differ, and the AUROC in its second or third digit.
"""


@dataclass(frozen=True)
class Verdict:
    """A committed row beside the one that was made now."""

    committed: Row
    again: Row
    tolerance: float

    @property
    def difference(self) -> float:
        """Largest difference of an AUROC of any trial; infinite where only one of the rows has a result."""
        pairs = [(trial_value(self.committed, name, None), trial_value(self.again, name, None)) for name in self._names]
        known = [abs(a - b) for a, b in pairs if a is not None and b is not None]
        return max(known) if known and len(known) == len(pairs) else float("inf")

    @property
    def _names(self) -> list[str]:
        found = self.committed.get("trials"), self.again.get("trials")
        return sorted({name for trials in found if isinstance(trials, dict) for name in trials})

    @property
    def holds(self) -> bool:
        """Whether the number came out again."""
        return self.difference <= self.tolerance


def pick(results: Results, keys: Sequence[str], seed: int | None) -> Cell:
    """Return a cell at random among those of `keys` that have a result; raises ValueError where none has."""
    known = sorted(key for key in keys if key in results.rows and "error" not in results.rows[key])
    if not known:
        raise ValueError("none of these cells has a result")
    return results.cells[known[int(np.random.default_rng(seed).integers(len(known)))]]


def compare(committed: Row, again: Row) -> Verdict:
    """Compare a committed row with one made now; same machine, versions and threads must give the same numbers."""
    alike = all(committed.get(name) == again.get(name) for name in ("versions", "device", "threads"))
    return Verdict(committed, again, SAME if alike else OTHER)
