"""The benchmark's pages, from the result files of results/bench."""

from __future__ import annotations

from functools import cache, partial

from amiss.bench import pages
from amiss.bench.results import read
from tables.results import ROOT

FOLDER = "docs/benchmarks"


@cache
def numbers() -> pages.Numbers:
    """Every committed row, and the numbers of recipes; read once."""
    return pages.Numbers(read([ROOT / "results" / "bench"]))


def tables(paper: str) -> str:
    """A paper's tables."""
    return pages.tables(paper, numbers())


def gap(paper: str) -> str:
    """A paper's gap in five lines."""
    return pages.gap(paper, numbers())


def sheet(paper: str) -> str:
    """A paper's numbers as CSV."""
    return pages.sheet(paper, numbers())


INDEX = [f"{FOLDER}/index.md"]
TABLES = {
    **{f"bench_{paper}": (partial(tables, paper), [f"{FOLDER}/{paper}.md"]) for paper in pages.PAPERS},
    **{f"bench_{paper}_gap": (partial(gap, paper), [f"{FOLDER}/{paper}.md"]) for paper in pages.PAPERS},
    "bench_overview": (lambda: pages.overview(numbers()), INDEX),
    "bench_budgets": (pages.budgets, INDEX),
    "bench_ranks": (lambda: pages.ranking(numbers()), INDEX),
}
FILES = {f"{FOLDER}/{paper}.csv": partial(sheet, paper) for paper in pages.PAPERS}
