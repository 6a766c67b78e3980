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
        "gradients of the processes not added up",
        SHARING,
        (("    if share is not None:\n        add_up(", "    if share is None:\n        add_up("),),
        TESTS,
    ),
    Mutant(
        "the sum over processes not differentiated",
        SHARING,
        (("return _summed(slope.clone())", "return slope.clone()"),),
        TESTS,
    ),
    Mutant(
        "every process writes checkpoints",
        "engine/fitting.py",
        (("if self.workdir is None or not leads():", "if self.workdir is None:"),),
        TESTS,
    ),
]
