"""Tiles: what they change on real images and what memory they take: `results/tiles_example.json`, tile_memory.json."""

from __future__ import annotations

import json
from typing import Any

from tables.results import ROOT, spread

METHODS = {"pca": "PCA", "knn": "kNN (5)", "ocsvm": "one-class SVM"}


def held(name: str) -> dict[str, Any]:
    """A result file."""
    found: dict[str, Any] = json.loads((ROOT / "results" / f"{name}.json").read_text())
    return found


def example() -> str:
    """AUROC of each method, whole and in tiles."""
    found = held("tiles_example")
    runs, size = found["runs"], found["size"]
    forms = list(dict.fromkeys(row["form"] for row in runs))
    lines = [f"| method | {' | '.join(forms)} |", "| --- |" + " --- |" * len(forms)]
    for method in dict.fromkeys(row["method"] for row in runs):
        cells = [
            spread([row["auroc"] for row in runs if (row["method"], row["form"]) == (method, form)]) for form in forms
        ]
        lines.append(f"| {METHODS[method]} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"AUROC on Brain MRI at {size} x {size} pixels, whole and in tiles of {found['tile']}; mean "
            f"and range over seeds 0, 1, 2. Fitted on {runs[0]['train']} scans without a tumour, tested on "
            f"{found['test_normal']} others and {found['test_anomalous']} with one. File: "
            "`results/tiles_example.json`, made by `benchmarks/tiles_example.py`.",
        ]
    )


def memory() -> str:
    """Peak memory of fresh processes."""
    if not (ROOT / "results" / "tile_memory.json").exists():
        return "Not measured yet: `benchmarks/tile_memory.py`."
    found = held("tile_memory")
    rows = [
        f"| {row['what']} | {METHODS[row['method']]} | {row['photos']} | {row['peak'] / 1e9:.2f} GB |"
        for row in found["runs"]
    ]
    return "\n".join(
        [
            "| work | method | photos | peak resident memory |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"Colour photos of {found['width']} x {found['height']} pixels in tiles of {found['tile']}, each line a "
            "fresh process, PyTorch included; of a fit the mapped store too, whose pages the system takes back when it "
            "needs them. File: `results/tile_memory.json`, made by `benchmarks/tile_memory.py`.",
        ]
    )


TABLES = {"tiles_example": (example, ["docs/tiles.md"]), "tile_memory": (memory, ["docs/tiles.md"])}
