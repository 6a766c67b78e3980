"""Measures what tiles change on real images: Brain MRI at 64 pixels, whole and in tiles of 32 pixels.

    AMISS_DATA=... python benchmarks/tiles_example.py

Fits on half of the scans without a tumour, scores the other half and all with one; three seeds choose the halves.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from amiss import Detector
from amiss.artifact.file import versions
from amiss.evaluation.metrics import auroc

OUT = Path(__file__).parents[1] / "results" / "tiles_example.json"
SIZE, TILE = 64, 32
SEEDS = (0, 1, 2)
FORMS: dict[str, dict[str, int]] = {
    "whole": {},
    "tiles, highest": {"tile": TILE},
    "tiles, mean of 3": {"tile": TILE, "tile_pool": 3},
    "tiles, mean of all": {"tile": TILE, "tile_pool": 1000},
}


def files(folder: Path) -> list[Path]:
    """The images of a folder, in order."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def main() -> None:
    """Measure every method in every form with every seed."""
    home = Path(os.environ["AMISS_DATA"], "brain-mri")
    normal, anomalous = files(home / "no"), files(home / "yes")
    rows = []
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(normal))
        train, test = ([normal[i] for i in part] for part in np.array_split(order, 2))
        labels = np.repeat([0, 1], [len(test), len(anomalous)])
        for method in ("pca", "knn", "ocsvm"):
            for form, tiles in FORMS.items():
                detector = Detector(method, fpr=None, size=SIZE, random_state=seed, device="cpu", **tiles).fit(train)
                value = auroc(detector.decision_function([*test, *anomalous]), labels)
                rows.append({"method": method, "form": form, "seed": seed, "auroc": value, "train": len(train)})
                print(method, form, seed, f"{value:.3f}", flush=True)
    facts = {"size": SIZE, "tile": TILE, "test_normal": len(test), "test_anomalous": len(anomalous)}
    OUT.write_text(json.dumps({**facts, "versions": versions(), "runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
