"""Measures the memory of a tiled model: of scoring large photos, one and several, and of fitting on them.

Makes colour photos of 4000 x 3000 pixels, fits and scores each time in a fresh process, and writes the peak resident
set of that process, which counts the pages of mapped files too, to results/tile_memory.json:

    python benchmarks/tile_memory.py

Exits 1 if scoring takes more than 1.5 GB, or grows with the number of photos.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from amiss import Detector
from amiss.artifact.file import versions

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "tile_memory.json"
WIDTH, HEIGHT, TILE = 4000, 3000, 64
LIMIT, GROWTH = 1.5e9, 0.1e9
COUNTS = (1, 4, 12)


def make_photo(path: Path, seed: int) -> None:
    """A smooth colour photo with noise, as JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = smooth + rng.integers(-8, 9, smooth.shape, dtype=np.int16)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def peak() -> int:
    """Largest resident set of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(what: str, method: str, photos: Path, model: Path) -> None:
    """Fit or score in this process; prints what it took as JSON."""
    before, started = peak(), time.perf_counter()
    if what == "fit":
        detector = Detector(method, fpr=None, tile=TILE, device="cpu").fit(photos)
        detector.save(model)
        tiles = int(json.loads(json.dumps(detector.artifact.record["data"]))["tiles"])
    else:
        detector = Detector.load(model, device="cpu")
        detector.score(photos)
        tiles = 0
    seconds = round(time.perf_counter() - started, 1)
    found = {"what": what, "method": method, "photos": len(list(photos.iterdir())), "imports": before}
    print(json.dumps({**found, "peak": peak(), "seconds": seconds, "tiles": tiles}))


def measured(what: str, method: str, photos: Path, model: Path) -> dict[str, object]:
    """`run` in a fresh process."""
    command = [sys.executable, __file__, "--one", what, method, str(photos), str(model)]
    row: dict[str, object] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{what} {method}: {row['photos']} photos, peak {row['peak'] / 1e9:.2f} GB, {row['seconds']} s", flush=True)
    return row


def main() -> None:
    """Measure each method and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["pca"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, method, photos, model = options.one
        run(what, method, Path(photos), Path(model))
        return
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folders = {n: Path(temporary, str(n)) for n in COUNTS}
        for n, folder in folders.items():
            folder.mkdir()
            for i in range(n):
                make_photo(folder / f"{i}.jpg", i)
        for method in options.methods:
            model = Path(temporary, f"{method}.safetensors")
            rows.append(measured("fit", method, folders[COUNTS[1]], model))
            rows += [measured("score", method, folder, model) for folder in folders.values()]
    facts = {"width": WIDTH, "height": HEIGHT, "tile": TILE, "versions": versions(), "runs": rows}
    OUT.write_text(json.dumps(facts, indent=1) + "\n")
    scored = [row for row in rows if row["what"] == "score"]
    peaks = {m: [int(str(row["peak"])) for row in scored if row["method"] == m] for m in options.methods}
    if any(max(values) > LIMIT or max(values) - min(values[1:]) > GROWTH for values in peaks.values()):
        sys.exit("a goal is missed: 1.5 GB at most, and no more than 0.1 GB of growth")


if __name__ == "__main__":
    main()
