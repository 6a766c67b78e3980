"""Faults in the benchmark: keys, merging, leaks, the choice of an epoch."""

from __future__ import annotations

from planted import Mutant

TEST_RUN, TEST_RESULTS, TEST_CELL = "tests/bench/test_run.py", "tests/bench/test_results.py", "tests/bench/test_cell.py"
LEAKS = "protocols/leaks.py"

MUTANTS = [
    Mutant("a key that does not know the seed", "bench/cell.py", (('        "seed": cell.seed,\n', ""),), TEST_CELL),
    Mutant(
        "of two results the last that was read counts",
        "bench/results.py",
        (("row if cell.key not in rows else min(row, rows[cell.key], key=_rank)", "row"),),
        TEST_RESULTS,
    ),
    Mutant(
        "labels are looked at before the scores, unnoticed",
        "bench/run.py",
        (("    marks += _marks(task)\n", ""),),
        TEST_RUN,
    ),
    Mutant(
        "the labelled selection is not compared with the test",
        LEAKS,
        (("product([train, *others], tested)", "product([train], tested)"),),
        TEST_RUN,
    ),
    Mutant(
        "a look at labels chooses though nobody asked",
        "engine/fitting.py",
        (("            if run.choose:\n", "            if True:\n"),),
        "tests/engine/test_fitting.py",
    ),
    Mutant(
        "the worst epoch is chosen",
        "engine/fitting.py",
        (("_keep(run, -value)", "_keep(run, value)"),),
        "tests/engine/test_fitting.py",
    ),
]
