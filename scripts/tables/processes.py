"""One fit on two processes: speed, and how far its losses lie from those of one: `results/processes.json`."""

from __future__ import annotations

import json

from tables.results import ROOT


def speed() -> str:
    """Seconds for a step alone and together, then differences of losses."""
    path = ROOT / "results" / "processes.json"
    if not path.exists():
        return "Not measured yet: `benchmarks/processes_ratio.py`."
    found = json.loads(path.read_text())
    lines = ["| step | one process | two | times faster |", "| --- | --- | --- | --- |"]
    for what, seconds in found["seconds"].items():
        one, two = seconds["alone"], seconds["together"]
        lines.append(f"| {what} | {1e3 * one:.0f} ms | {1e3 * two:.0f} ms | {one / two:.2f} |")
    lines += [
        "",
        "| fit | largest relative difference of a loss, two processes | pixels moved |",
        "| --- | --- | --- |",
    ]
    rounding = found["apart by rounding"]
    lines += [f"| `{name}` | {max(far):.0e} | {max(rounding[name]):.0e} |" for name, far in found["apart"].items()]
    load = " to ".join(f"{value:.1f}" for value in found["load"])
    epochs = max(len(far) for far in found["apart"].values())
    return "\n".join(
        [
            *lines,
            "",
            f"Medians of {found['rounds']} turns at 28 x 28 pixels, one thread each, on a machine of {found['cores']} "
            f"cores that other work shared (load {load}), so times are long and ratios low. Fits of up to {epochs} "
            "epochs on 640 of the bundled images, against one process; pixels moved: one process, with every pixel the "
            "next float32 number. File: `results/processes.json`, made by `benchmarks/processes_ratio.py`.",
        ]
    )


TABLES = {"processes": (speed, ["docs/processes.md"])}
