"""Ensembles, averaged weights and two-sided scores on CIFAR-10: `results/stabilise.jsonl`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tables.results import Row, provenance, rows, seeds_of, value

NAME = "stabilise"
CLASSES = ("car", "plane")


def of(method: str, name: str) -> list[Row]:
    return [row for row in rows(NAME) if row["method"] == method and row["class"] == name]


def singles(name: str) -> list[float]:
    """AUROC of every single run: the members of the ensembles."""
    found: list[float] = []
    for row in of("ensemble", name):
        terms = row["terms_auroc"]
        assert isinstance(terms, dict)
        found += [float(str(v)) for term, v in terms.items() if term.startswith("member.")]
    return found


def summary(values: Sequence[float]) -> str:
    """Mean, standard deviation and range."""
    if len(values) < 2:
        return "not run"
    deviation = statistics.stdev(values)
    return f"{statistics.mean(values):.3f} +- {deviation:.3f} ({min(values):.3f}-{max(values):.3f}), n = {len(values)}"


def stabilised() -> str:
    """Single runs of GradCon against ensembles of three and averaged weights."""
    lines = [f"| CIFAR-10 | {' | '.join(CLASSES)} |", "| --- | --- | --- |"]
    for label, method in (("single run", ""), ("ensemble of 3", "ensemble"), ("averaged weights", "averaged")):
        cells = [
            summary([value(row, "score") for row in of(method, name)] if method else singles(name)) for name in CLASSES
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    paired = []
    for name in CLASSES:
        first = {row["seed"]: value(row, "member.1") for row in of("ensemble", name)}
        gains = [value(row, "score") - first[row["seed"]] for row in of("averaged", name) if row["seed"] in first]
        if gains:
            better = sum(gain > 0 for gain in gains)
            paired.append(f"{name} {statistics.mean(gains):+.3f} (better in {better} of {len(gains)} seeds)")
    used = [row for row in rows(NAME) if row["method"] != "typical"]
    if not used:
        return "\n".join([*lines, "", "No results are committed yet."])
    text = (
        f"AUROC of GradCon at 12 epochs, balanced test set, images at 32 x 32: mean, standard deviation and range over "
        f"seeds {seeds_of(used)}. A single run keeps the epoch with the lowest loss of held-out normals. Averaged "
        f"weights against the same run with that selection: {', '.join(paired)}. {provenance(used, NAME)}"
    )
    return "\n".join([*lines, "", text])


def two_sided() -> str:
    """kNN and kNN made two-sided."""
    lines = [f"| CIFAR-10 | {' | '.join(CLASSES)} |", "| --- | --- | --- |"]
    for label, term in (("kNN (5) on raw pixels", "one"), ("the same, two-sided", "A")):
        cells = []
        for name in CLASSES:
            found = of("typical", name)
            values = [value(row, term if term == "A" else member_term(row)) for row in found]
            cells.append(summary(values))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    used = [row for row in rows(NAME) if row["method"] == "typical"]
    if not used:
        return "\n".join([*lines, "", "No results are committed yet."])
    text = (
        f"AUROC on a balanced test set, mean, standard deviation and range over seeds {seeds_of(used)}, which draw the "
        f"test anomalies and the held-out normals. {provenance(used, NAME)}"
    )
    return "\n".join([*lines, "", text])


def member_term(row: Row) -> str:
    """Name of the member's own score among the terms."""
    terms = row["terms_auroc"]
    assert isinstance(terms, dict)
    return next(str(name) for name in terms if name != "A")


TABLES = {
    "papers_ensemble": (stabilised, ["docs/methods/ensemble.md"]),
    "papers_averaged": (stabilised, ["docs/methods/averaged.md"]),
    "papers_typical": (two_sided, ["docs/methods/typical.md"]),
}
