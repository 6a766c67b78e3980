"""The server under load and under wrong input, and all runtimes against Python."""

from __future__ import annotations

import json
from typing import Any

from tables.results import ROOT

PAGE = "docs/serve.md"
NONE = "No results are committed yet."
GUIDED = {"decode": "an image to pixels", "load": "a model file to a model", "form": "a body to its files"}


def read(name: str) -> dict[str, Any] | None:
    """A result file that is one object."""
    path = ROOT / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def lines_of(name: str) -> list[dict[str, Any]]:
    """A result file of lines."""
    path = ROOT / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def load() -> str:
    """Both long parts, then the ratios."""
    found = read("serve_load")
    if found is None:
        return NONE
    lines = [
        "| 32 clients, 16 images a request | seconds | answers | wrong | images/s | p50 | p99 | memory grown |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for part, told in (("good", "good requests alone"), ("mixed", "a tenth of them malformed")):
        one = found[part]
        times = one["milliseconds"]["good"]
        lines.append(
            f"| {told} | {one['seconds']:.0f} | {sum(one['statuses'].values()):,} | {sum(one['wrong'].values())} | "
            f"{one['images_per_second']:.0f} | {times['p50'] / 1000:.2f} s | {times['p99'] / 1000:.2f} s | "
            f"{one['growth_mb']:.1f} MB |"
        )
    lines += ["", "| of what one process scores | images | images a second | images a second of processor time |"]
    lines += ["| --- | --- | ---: | ---: |"]
    for model, size in (("shirts", "28 x 28"), ("heads", "128 x 128")):
        for each in (16, 1):
            ratios = [[turn[f"{kind}_{each}"] for turn in found["rounds"][model]] for kind in ("ratio", "cpu_ratio")]
            told = " | ".join(" and ".join(f"{100 * ratio:.0f} %" for ratio in pair) for pair in ratios)
            lines.append(f"| {each} a request | {size} | {told} |")
    inexact = found["answers_not_bit_equal"].values()
    loads = [turn["load_average"][0] for turns in found["rounds"].values() for turn in turns]
    lines += [
        "",
        f"The second table was measured before and after the long parts, in turns of {turn_seconds(found):.0f} s. "
        f"Clients, server and the process that it is compared with shared {found['cores']} cores, "
        f"with load averages from {min(loads):.1f} to {max(loads):.1f}; other work moves seconds more than "
        "processor time, in which the clients' own is counted as the server's. Of all answers "
        f"{sum(one['images'] for one in inexact)} scores were not bit for bit those of one process, and "
        f"{sum(one['beyond'] for one in inexact)} lay beyond the tolerance. File: `results/serve_load.json`, made by "
        f"`benchmarks/serve_load.py` at commit {found['commit'][:10]} with torch {found['versions']['torch']}.",
    ]
    return "\n".join(lines)


def turn_seconds(found: dict[str, Any]) -> float:
    """Seconds of one turn."""
    return next(turn["seconds_each"] for turns in found["rounds"].values() for turn in turns)


def fuzz() -> str:
    """What came of wrong input."""
    found = read("serve_fuzz")
    if found is None:
        return NONE
    lines = [
        "| made wrong by a seed | cases | what came of them | slowest | bad |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    for name, key in (("images", "answers"), ("requests", "answers"), ("models", "outcomes")):
        one = found[name]
        told = ", ".join(f"{count:,} {what}" for what, count in sorted(one[key].items(), key=lambda pair: -pair[1]))
        lines.append(f"| {name} | {one['cases']:,} | {told} | {one['slowest_seconds']:.1f} s | {len(one['bad'])} |")
    for row in lines_of("atheris"):
        ended = 0 if row["exit_status"] == 0 else 1
        told = f"{row['cases'] or 0:,} | {row['seconds']} s of atheris |  | {ended}"
        lines.append(f"| by coverage: {GUIDED[row['cell'][0]]} | {told} |")
    peak = found["requests"]["memory_mb"]["peak"] - found["memory_before_mb"]["resident"]
    lines += [
        "",
        f"The server may take {found['memory_limit_mb']:,} MB more address space than when it is ready; it took "
        f"{peak:,.0f} MB more memory at most. Files: `results/serve_fuzz.json` by `benchmarks/serve_fuzz.py` (seed "
        f"{found['seed']}), `results/atheris.jsonl` by `benchmarks/atheris_fuzz.py`.",
    ]
    return "\n".join(lines)


def parity() -> str:
    """The largest difference of each runtime, and labels."""
    found = sorted(lines_of("parity"), key=lambda row: str(row["cell"]))
    if not found:
        return NONE
    runtimes = ("onnx", "http", "ray")
    lines = [
        "| method | ONNX Runtime | HTTP | Ray | within the tolerance | other labels beyond it |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found:
        told = " | ".join(f"{row['runtimes'][name]['largest_in_units']:.1e}" for name in runtimes)
        flipped = sum(row["runtimes"][name]["flipped_far"] for name in runtimes)
        lines.append(f"| `{row['cell'][0]}` | {told} | {row['near']} | {flipped} |")
    lines += [
        "",
        f"Largest difference from Python's score, in units of the [table](export.md); {found[0]['images']:,} images of "
        f"Fashion-MNIST's official test set for each of {len(found)} methods. File: `results/parity.jsonl`, made by "
        "`benchmarks/parity.py`, which is resumable; methods that have no line there were not measured yet.",
    ]
    return "\n".join(lines)


TABLES = {"serve_load": (load, [PAGE]), "serve_fuzz": (fuzz, [PAGE]), "parity": (parity, [PAGE])}
