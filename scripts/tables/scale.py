"""How scoring and fitting many detectors scale from one worker to two: `results/scale_out.json`."""

from __future__ import annotations

import json
import statistics
from typing import Any

from tables.results import ROOT

NAME = "scale_out"
WORK = {
    ("process", 1): ("scoring in one process, without Ray", "images a second"),
    ("score", 1): ("scoring on Ray, 1 worker", "images a second"),
    ("score", 2): ("scoring on Ray, 2 workers", "images a second"),
    ("fit", 1): ("`fit-each` on Ray, 1 worker", "fits a minute"),
    ("fit", 2): ("`fit-each` on Ray, 2 workers", "fits a minute"),
}


def scale_out() -> str:
    """Rates of every kind of run, and the ratios of two workers to one."""
    path = ROOT / "results" / f"{NAME}.json"
    if not path.exists():
        return "Not measured yet: `benchmarks/scale_out.py`."
    found: dict[str, Any] = json.loads(path.read_text())
    lines = ["| work | rate, median (range) | seconds of the call | load of the machine |", "| --- | --- | --- | --- |"]
    for key, (label, unit) in WORK.items():
        runs = [run for run in found["runs"] if (run["what"], run["workers"]) == key]
        rates, seconds = [run["rate"] for run in runs], [run["seconds"] for run in runs]
        loads = [load for run in runs for load in run["load"]]
        lines.append(
            f"| {label} | {statistics.median(rates):,.1f} {unit} ({min(rates):,.1f}-{max(rates):,.1f}) | "
            f"{statistics.median(seconds):.0f} | {min(loads):.0f}-{max(loads):.0f} |"
        )
    return "\n".join([*lines, "", _words(found)])


def _words(found: dict[str, Any]) -> str:
    repeats = len({run["repeat"] for run in found["runs"]})
    score, fit = (_ratio(found, what) for what in ("score", "fit"))
    return _limits(found) + (
        f"Two workers did {score} times the scoring and {fit} times the fitting of one: medians, and the range over "
        f"{repeats} repeats in turn. {found['images']:,} images of 28 x 28 pixels in shards of {found['shard']} with "
        f"GradCon; {found['folders']} fits of GradCon on {found['images_each']} images, {found['epochs']} epochs. "
        "Rates of scoring are taken from the first finished shard to the last; fits a minute are those of the whole "
        f"call. One machine with {found['cores']} cores, which other work had too: the load says how much. File: "
        f"`results/{NAME}.json`, made by `benchmarks/{NAME}.py` at commit {found['commit'][:10]} with Ray "
        f"{found['versions']['ray']} and torch {found['versions']['torch']}, 1 thread a worker."
    )


def _limits(found: dict[str, Any]) -> str:
    """What a second worker was held up by."""
    loads = [run["load"][0] for run in found["runs"]]
    starts = [run["seconds"] - found["images"] / run["rate"] for run in found["runs"] if run["what"] == "score"]
    shared = (
        f" The {found['cores']} cores were shared with other work all the time, {min(loads):.0f} to {max(loads):.0f} "
        "processes, so that no core was idle for a second worker: the ratios tell how they were shared more than how "
        "the work scales, and one worker and one process, which do the same work, differ for the same reason. Measure "
        "again on a quiet machine before you plan with them."
    )
    return (
        "What limits it here is processors, and the start. Images are read and decoded by the workers, and rows are "
        "small, so the command itself does little. Of each call that scored on Ray, "
        f"{statistics.median(starts):.0f} seconds (median) were no scoring: the data set and its workers start, and "
        "each worker loads torch. That cost is the same for any number of images."
        f"{shared if min(loads) > found['cores'] else ''}\n\n"
    )


def _ratio(found: dict[str, Any], what: str) -> str:
    """Two workers' rate over one's in the same repeat: median and range."""
    rates = {(run["repeat"], run["workers"]): run["rate"] for run in found["runs"] if run["what"] == what}
    ratios = [rates[repeat, 2] / rate for (repeat, workers), rate in rates.items() if workers == 1]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


TABLES = {NAME: (scale_out, ["docs/scale.md"])}
