"""Measures that decoding into a store takes no more memory for more images, save file-backed pages.

Decodes folders of small PNGs, each folder in a fresh process, and samples RssAnon and RssFile of that process:

    python benchmarks/decode_memory.py --counts 10000 100000 --side 28
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

from amiss.contracts import ImageSpec
from amiss.data.decode import plan_layout
from amiss.data.images import Layout
from amiss.data.listing import list_images
from amiss.data.store import decode_store

GOAL = 200  # bytes of anonymous memory per further image: its name, and room for noise; its pixels alone are 784
DISTINCT = 500  # files with pixels of their own; all others are links to them, but each is opened and decoded


def make_folder(folder: Path, count: int, side: int) -> None:
    """Fill `folder` with `count` PNGs of side * side noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"image_{i:06}.png"
        if i < DISTINCT:
            Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(path)
        else:
            os.link(folder / f"image_{i % DISTINCT:06}.png", path)


def memory() -> dict[str, int]:
    """Resident bytes of this process, anonymous and file-backed."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile")}


class Peak:
    """The largest RssAnon and RssFile since the start, sampled every 10 ms."""

    def __init__(self) -> None:
        self.largest = memory()
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            self.look()
            time.sleep(0.01)

    def look(self) -> None:
        self.largest = {name: max(self.largest[name], now) for name, now in memory().items()}


def decode_one(folder: Path, store: Path, side: int, workers: int) -> None:
    """List, plan, decode and read once; prints the peaks."""
    before = memory()["RssAnon"]
    peak = Peak()
    start = time.perf_counter()
    listing = list_images(folder)
    layout = plan_layout(listing, side)
    assert layout == Layout(ImageSpec(1, side, side), "uint8")
    images = decode_store(listing, layout, store, workers=workers)
    total = sum(
        int(images.take(np.arange(i, min(i + 1000, len(images)))).numpy().sum()) for i in range(0, len(images), 1000)
    )
    seconds = time.perf_counter() - start
    peak.look()
    assert total > 0
    print(len(images), before, peak.largest["RssAnon"], peak.largest["RssFile"], f"{seconds:.1f}")


def main() -> None:
    """Decode each count in a fresh process and compare the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000], help="images per folder")
    parser.add_argument("--side", type=int, default=28, help="pixels per side")
    parser.add_argument("--workers", type=int, default=2, help="threads")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        decode_one(Path(options.one[0]), Path(options.one[1]), options.side, options.workers)
        return
    print(f"{'images':>8} {'store MB':>9} {'anonymous MB: start':>20} {'peak':>7} {'file-backed MB peak':>20} {'s':>7}")
    peaks = []
    with tempfile.TemporaryDirectory() as temporary:
        for count in options.counts:
            folder, store = Path(temporary, f"{count}"), Path(temporary, f"{count}.store")
            make_folder(folder, count, options.side)
            command = [sys.executable, __file__, "--side", str(options.side), "--workers", str(options.workers)]
            output = subprocess.run(
                [*command, "--one", str(folder), str(store)], check=True, capture_output=True, text=True
            ).stdout
            images, before, anonymous, backed, seconds = output.split()
            size = sum(file.stat().st_size for file in store.iterdir())
            print(
                f"{images:>8} {size / 1e6:9.1f} {int(before) / 1e6:20.1f} {int(anonymous) / 1e6:7.1f} "
                f"{int(backed) / 1e6:20.1f} {seconds:>7}",
                flush=True,
            )
            peaks.append((int(images), int(anonymous), size))
    (few, low, small), (many, high, large) = peaks[0], peaks[-1]
    if many > few:
        print(f"growth per image: {(high - low) / (many - few):.1f} bytes anonymous, "
              f"{(large - small) / (many - few):.1f} bytes in the store (goal: at most {GOAL} anonymous)")  # fmt: skip
        if (high - low) / (many - few) > GOAL:
            sys.exit(1)


if __name__ == "__main__":
    main()
