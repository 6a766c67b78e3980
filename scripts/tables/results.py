"""Committed result files, read."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
Row = dict[str, object]


def rows(name: str) -> list[Row]:
    """The lines of results/NAME.jsonl; none where there is no such file yet."""
    path = ROOT / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def value(row: Row, term: str) -> float:
    """AUROC of a part of the score, or of the score."""
    terms = row["terms_auroc"]
    assert isinstance(terms, dict)
    return float(str(row["image_AUROC"] if term == "score" else terms[term]))


def spread(values: Sequence[float]) -> str:
    """Mean and range over seeds; fewer than three are told."""
    if not values:
        return "not run"
    if len(values) == 1:
        return f"{values[0]:.3f} (one seed)"
    few = ", 2 seeds" if len(values) == 2 else ""
    return f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f}{few})"


def number(row: Row, name: str) -> float:
    """A field that holds a number."""
    return float(str(row[name]))


def provenance(found: Sequence[Row], name: str) -> str:
    """Where numbers come from."""
    if not found:
        return "No results are committed yet."
    versions = found[-1]["versions"]
    assert isinstance(versions, dict)
    commits = ", ".join(sorted({str(row["commit"])[:10] for row in found}))
    threads = " or ".join(sorted({str(row["threads"]) for row in found}))
    return (
        f"File: `results/{name}.jsonl`, made by `benchmarks/{name}.py` at commit {commits} with torch "
        f"{versions['torch']}, {threads} thread each."
    )


def seeds_of(found: Sequence[Row]) -> str:
    """The seeds, named."""
    return ", ".join(sorted({str(row["seed"]) for row in found}, key=int))
