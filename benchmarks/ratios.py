"""Speed as ratios: variants that take turns in one process, medians, and goals met or missed."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from amiss.artifact.file import versions

Variants = dict[str, tuple[Callable[[], object], int]]
"""What to run by name, and how many items (images, steps) one run is."""

Goal = tuple[str, float, str, float]
"""What a ratio is of, the ratio, <= or >=, and the goal."""


def repeated(run: Callable[[], object], times: int) -> tuple[Callable[[], object], int]:
    """A variant that does the same several times, since once is too short to time."""

    def runs() -> None:
        for _ in range(times):
            run()

    return runs, times


def medians(variants: Variants, rounds: int) -> dict[str, float]:
    """Median seconds per item of each variant over interleaved rounds, after a warm-up."""
    for run, _ in variants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, (run, items) in variants.items():
            started = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - started) / items)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(goals: Sequence[Goal]) -> None:
    """Print each ratio beside its goal."""
    width = max(len(what) for what, *_ in goals)
    for what, ratio, sign, goal in goals:
        met = ratio <= goal if sign == "<=" else ratio >= goal
        print(f"{what:<{width}} {ratio:6.2f}   goal {sign} {goal:<5} {'met' if met else 'MISSED'}")


def record(output: Path, goals: Sequence[Goal], seconds: object, load: float) -> None:
    """Append the figures as a line of JSON; `load` is the machine's before the run."""
    line = {
        "ratios": [{"what": what, "ratio": round(x, 3), "goal": f"{sign} {goal}"} for what, x, sign, goal in goals],
        "median seconds per item": seconds,
        "load": [load, os.getloadavg()[0]],
        "versions": versions(),
    }
    with output.open("a") as file:
        file.write(json.dumps(line) + "\n")
