"""How long does the page of a scoring run of 2,000 images take to write, and to open?

    python benchmarks/report_page.py [--out results/report_page.json]

Needs the extras report and browser, and a Chromium. The images are bundled ones, the model a GradCon of two epochs.
The whole call of `amiss score` is timed with and without --report, in fresh processes; opening is the time until the
page says that it is ready, in a new window of headless Chromium. Medians. Goals: the whole call in under 30 s, every
opening in under 2 s, 5 MB for 1,000 images.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from amiss import Detector, __version__
from amiss.data.demo import load_demo
from amiss.methods.gradcon import GradCon

ROOT = Path(__file__).parents[1]
IMAGES, ROUNDS, OPENINGS = 2_000, 3, 7
WRITTEN, OPENED, SIZE = 30.0, 2.0, 10.0


def prepare(work: Path) -> None:
    demo = load_demo()
    whole = np.concatenate([part.take(np.arange(len(part))).numpy() for part in (demo.test, demo.train)])
    Detector(GradCon(epochs=2)).fit(demo.train.take(np.arange(400))).save(work / "model.safetensors")
    (work / "images").mkdir()
    for i, image in enumerate(whole[:IMAGES, 0]):
        Image.fromarray(image).save(work / "images" / f"{i:04}.png")


def score(work: Path, *more: str) -> float:
    started = time.perf_counter()
    call = [sys.executable, "-m", "amiss", "score", "model.safetensors", "images", "-o", "s.csv", "-q", "--overwrite"]
    subprocess.run([*call, *more], cwd=work, check=True)
    return time.perf_counter() - started


def openings(page: Path) -> list[float]:
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        times = []
        for _ in range(OPENINGS):
            tab = chromium.new_context().new_page()
            started = time.perf_counter()
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-ready]")
            times.append(time.perf_counter() - started)
            tab.close()
        chromium.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "report_page.json")
    out = parser.parse_args().out
    load = os.getloadavg()[0]
    with TemporaryDirectory() as scratch:
        work = Path(scratch)
        prepare(work)
        rounds = [(score(work), score(work, "--report", "page.html")) for _ in range(ROUNDS)]
        times, size = openings(work / "page.html"), (work / "page.html").stat().st_size / 1e6
    plain, page = (statistics.median(column) for column in zip(*rounds, strict=True))
    found = {
        "amiss": __version__,
        "images": IMAGES,
        "load_before": round(load, 2),
        "seconds_without": round(plain, 2),
        "seconds_with": round(page, 2),
        "opened": round(statistics.median(times), 2),
        "opened_slowest": round(max(times), 2),
        "megabytes": round(size, 2),
    }
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))
    missed = [
        what
        for what, holds in (
            ("written", page < WRITTEN),
            ("opened", max(times) < OPENED),
            ("size", size < SIZE),
        )
        if not holds
    ]
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
