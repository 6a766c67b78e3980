"""Faults in what several processes share."""

from __future__ import annotations

from planted import Mutant

SHARING, TESTS = "sharing.py", "tests/engine/test_processes.py"

MUTANTS = [
    Mutant(
        "gradient loss as the mean of each process's own",
        "objectives/gradients.py",
        (
            (
                "return misalignment(averaged(*gradients), list(self.mean))",
                "return averaged(misalignment(gradients, list(self.mean)))[0]",
            ),
        ),
        TESTS,
    ),
    Mutant(
        "every process counts alike, however few its images are",
        SHARING,
        (("return self.count / self.total", "return 1 / group().count"),),
        TESTS,
    ),
    Mutant(
        "draws of each process's own",
        SHARING,
        (("    if share is None:\n        return draw(", "    if True:\n        return draw("),),
        TESTS,
    ),
    Mutant(
        "the sum over processes not differentiated",
        SHARING,
        (("return _summed(slope.clone())", "return slope.clone()"),),
        TESTS,
    ),
]
