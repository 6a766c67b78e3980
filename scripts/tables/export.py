"""Exported files against Python, and their speed: `results/onnx_parity.jsonl` and `results/onnx_speed.json`."""

from __future__ import annotations

import json

from tables.results import ROOT, number, provenance, rows

PAGE = "docs/export.md"
PARITY, SPEED = "onnx_parity", "onnx_speed"
COLUMNS = (
    "method",
    "largest difference",
    "tolerance",
    "beyond it",
    "near the threshold",
    "other labels, near",
    "other labels, far",
    "file",
)
COUNTED = ("images", "near", "flipped_near", "flipped_far", "wrong_p_values")


def parity() -> str:
    """A line for each method and preset."""
    found = sorted(rows(PARITY), key=lambda row: str(row["cell"]))
    if not found:
        return "No results are committed yet."
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * (len(COLUMNS) - 1)}",
    ]
    for row in found:
        cell = row["cell"]
        assert isinstance(cell, list)
        counts = " | ".join(str(row[name]) for name in ("beyond", "near", "flipped_near", "flipped_far"))
        lines.append(
            f"| `{cell[0]}` | {number(row, 'largest_in_units'):.1e} | {number(row, 'tolerance'):.1e} | {counts} | "
            f"{number(row, 'bytes') / 1e6:.1f} MB |"
        )
    total = {name: sum(int(number(row, name)) for row in found) for name in COUNTED}
    text = (
        f"{found[0]['images']} images of the official test set of Fashion-MNIST for each of {len(found)} methods and "
        f"presets, in batches of 1, 5 and 33, {found[-1]['runtime']}. Each was fitted for three epochs on 400 "
        f"T-shirts; networks wider than a quarter of the published ones were brought down to it. Of "
        f"{total['images']:,} images, {total['near']} lay within the tolerance of the threshold; "
        f"{total['flipped_near']} of these and {total['flipped_far']} of the others had another label. "
        f"{total['wrong_p_values']} p-values were not exactly what the file's own score says. "
        f"{provenance(found, PARITY)}"
    )
    return "\n".join([*lines, "", text])


def speed() -> str:
    """Milliseconds an image, and the ratio that is the goal."""
    path = ROOT / "results" / f"{SPEED}.json"
    if not path.exists():
        return "No results are committed yet."
    runs = json.loads(path.read_text())
    lines = [
        f"| GradCon, 28 x 28, one thread | {' | '.join(f'run {i}' for i, _ in enumerate(runs, 1))} |",
        f"| --- |{' ---: |' * len(runs)}",
    ]
    for name in runs[0]["milliseconds"]:
        times = " | ".join(f"{run['milliseconds'][name]:.2f}" for run in runs)
        lines.append(f"| {name}, ms an image | {times} |")
    ratios = " | ".join(f"{run['ratio']:.2f}" for run in runs)
    loads = " | ".join(f"{run['load'][0]:.1f}" for run in runs)
    lines += [
        f"| **ONNX Runtime, single images: times the loop** | {ratios} |",
        f"| load before, on two cores | {loads} |",
    ]
    last, rounds = runs[-1], " and ".join(dict.fromkeys(str(run["rounds"]) for run in runs))
    text = (
        f"The loop is the authors' scoring, a backward pass for each image; the goal is {last['goal']:g} times. "
        f"Medians of {rounds} interleaved rounds; the machine was shared, which moves the ratio. "
        f"File: `results/{SPEED}.json`, made by `benchmarks/{SPEED}.py` at commit "
        f"{', '.join(run['commit'][:10] for run in runs)} with onnxruntime {last['onnxruntime']} and torch "
        f"{last['versions']['torch']}."
    )
    return "\n".join([*lines, "", text])


TABLES = {"export_parity": (parity, [PAGE]), "export_speed": (speed, [PAGE])}
