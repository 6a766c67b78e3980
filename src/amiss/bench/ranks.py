"""Mean ranks of methods over many columns, with the Friedman test and Nemenyi's critical difference.

J. Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006,
https://www.jmlr.org/papers/v7/demsar06a.html. The columns should be independent; the ten classes of one data set are
not quite, so that the tests find a difference more easily than they should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from amiss.bench.entries import Filled
from amiss.contracts import InputError

LEVEL = 0.05


@dataclass(frozen=True)
class Ranking:
    """Methods from the best mean rank to the worst."""

    ranks: Mapping[str, float]
    columns: int
    chi_square: float
    """Friedman's statistic."""
    f: float
    """Iman and Davenport's, which is less conservative; infinite where every column ranks the methods alike."""
    p: float
    """How likely so large an F is if all methods were equal."""
    critical: float
    """Two mean ranks that are further apart differ, at the level of 0.05, by Nemenyi's test."""

    @property
    def alike(self) -> tuple[tuple[str, ...], ...]:
        """Longest runs of methods whose mean ranks are not further apart than the critical difference."""
        names = list(self.ranks)
        runs: list[tuple[str, ...]] = []
        for i, first in enumerate(names):
            run = tuple(name for name in names[i:] if self.ranks[name] - self.ranks[first] <= self.critical)
            if len(run) > 1 and not (runs and set(run) <= set(runs[-1])):
                runs.append(run)
        return tuple(runs)


def rank(values: Mapping[str, Sequence[float]], *, higher_is_better: bool = True) -> Ranking:
    """Rank methods by their values, one for each column; equal values share their mean rank.

    Raises InputError for fewer than two methods or columns, or lines of different lengths.
    """
    table = [list(row) for row in values.values()]
    k, n = len(table), len(table[0]) if table else 0
    if k < 2 or n < 2 or any(len(row) != n for row in table):
        raise InputError(f"{k} methods over {n} columns cannot be ranked: give at least two of each, complete")
    scores = np.array(table, dtype=np.float64).T * (-1 if higher_is_better else 1)
    mean = stats.rankdata(scores, axis=1).mean(0)
    chi = 12 * n / (k * (k + 1)) * (float((mean**2).sum()) - k * (k + 1) ** 2 / 4)
    rest = n * (k - 1) - chi
    f = (n - 1) * chi / rest if rest > 1e-12 else inf
    p = float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    q = float(stats.studentized_range.ppf(1 - LEVEL, k, inf)) / sqrt(2)
    order = np.argsort(mean, kind="stable")
    names = list(values)
    ranks = {names[i]: float(mean[i]) for i in order}
    return Ranking(ranks, n, float(chi), float(f), p, q * sqrt(k * (k + 1) / (6 * n)))


def of_tables(filled: Sequence[Filled], labels: Sequence[str]) -> Ranking | None:
    """Rank lines over all single columns of tables in which each of them has a result; None for fewer than two.

    Lines without any result are left out.
    """
    found: dict[str, dict[tuple[int, str], float]] = {}
    for i, one in enumerate(filled):
        for entries in one.entries:
            for entry in entries:
                if entry.value is not None and len(entry.column.protocols) == 1 and entry.line.label in labels:
                    found.setdefault(entry.line.label, {})[i, entry.column.label] = entry.value
    if len(found) < 2:
        return None
    shared = sorted(set.intersection(*(set(numbers) for numbers in found.values())))
    if len(shared) < 2:
        return None
    return rank({label: [found[label][at] for at in shared] for label in labels if label in found})


def said(ranking: Ranking) -> list[str]:
    """Write a ranking as sentences of Markdown."""
    ranks = ", ".join(f"{name} {value:.2f}" for name, value in ranking.ranks.items())
    runs = "; ".join(", ".join(run) for run in ranking.alike) or "none"
    return [
        f"Mean ranks over {ranking.columns} columns, 1 is best: {ranks}.",
        f"Friedman's chi-square {ranking.chi_square:.2f}, F {ranking.f:.2f}, p {ranking.p:.2g}. Two methods differ at "
        f"the level of {LEVEL:g} where their mean ranks are more than {ranking.critical:.2f} apart (Nemenyi). "
        f"Not told apart: {runs}.",
        "The classes of one data set are not independent of each other, so these tests find differences too easily.",
    ]
