"""Whether exported files decide as Python does: every method and preset, on 2,000 real images.

    AMISS_DATA=DIR python benchmarks/onnx_parity.py [NAME ...] [--out results/onnx_parity.jsonl]

Each method is fitted for three epochs on 400 T-shirts of Fashion-MNIST (networks wider than a quarter of the published
ones at a quarter), calibrated on 300 others at a false-alarm rate of 5 %, exported, and asked about the first 2,000
images of the official test set, of all ten classes, in batches of 1, 5 and 33. A line of JSON for each method; those
that have one are passed over. Exits 1 if a label differs on an image further than the tolerance from the threshold, or
if scores leave the table in amiss/export/tolerance.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from amiss import Detector, WorkError, catalog
from amiss.artifact.file import Artifact
from amiss.contracts import Method
from amiss.data.images import Images
from amiss.data.sets import load
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images
from amiss.explain.nearest import thumbnails
from amiss.export.runtime import Session
from amiss.export.tolerance import BATCHES, TABLE
from amiss.export.write import export_onnx
from cells import ROOT, Row, provenance

OUT = ROOT / "results" / "onnx_parity.jsonl"
TRAIN, HELD_OUT, CALIBRATION, TEST = 400, 100, 300, 2000
EPOCHS, LABEL, FPR, WIDEST = 3, 0, 0.05, 0.25


def shrunk(part: object) -> object:
    """The same with channels of at most a quarter of the published ones, at any depth."""
    if isinstance(part, tuple):
        return tuple(map(shrunk, part))
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    changed = {name: min(v, WIDEST) if name == "width" else shrunk(v) for name, v in fields.items()}
    return dataclasses.replace(part, **changed)


def fitted(method: Method, epochs: int = EPOCHS) -> tuple[Detector, Images]:
    """A detector, and the test images."""
    found = load("fashion-mnist", "train")
    index = np.flatnonzero(found.labels == LABEL)[: TRAIN + HELD_OUT + CALIBRATION]
    train, held_out, calibration = (found.images.subset(part) for part in np.split(index, [TRAIN, TRAIN + HELD_OUT]))
    tested = load("fashion-mnist", "test").images.subset(np.arange(TEST))
    known = None
    if method.semi_supervised:
        known = found.images.subset(np.flatnonzero(found.labels == 1)[:50])
    runtime = Runtime("cpu", seed=0)
    scorer = fit(
        method, train.spec, train, held_out, runtime=runtime, max_epochs=epochs, check=False, known=known
    ).scorer
    kept = thumbnails(calibration)  # what the export compares on
    artifact = Artifact(
        method,
        train.layout,
        scorer,
        score_images(scorer, calibration),
        FPR,
        None,
        0,
        {"thumbnails": kept.names},
        kept.pixels,
    )
    return Detector.of(artifact, device="cpu"), tested


def measure(name: str) -> Row:
    """Fit, export and compare one method."""
    method = shrunk(catalog.load(name))
    assert isinstance(method, Method)
    detector, images = fitted(method)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        written = export_onnx(detector, path)
        seconds = time.perf_counter() - started
        session = Session(path)
    calibration, scale, usual = detector.calibration, written.facts.scale, written.parity.tolerance
    wanted = score_images(detector.artifact.scorer, images)
    labels, near = calibration.predict(wanted), scale.near(wanted, calibration.threshold, usual)
    pixels = images.take(np.arange(len(images))).numpy()
    apart, flipped, wrong = np.zeros(len(wanted)), np.zeros(len(wanted), bool), 0
    for size in BATCHES:
        found = session.run_in_batches(pixels, size)
        scores = found["pred_score"].astype(np.float64)
        apart = np.maximum(apart, np.abs(scores - wanted))
        flipped |= found["pred_label"] != labels
        wrong += int((found["p_value"] != calibration.p_value(scores)).sum())
    differences = scale.difference(wanted + apart, wanted)
    return {
        "cell": [name],
        "settings": catalog.to_settings(method),
        "images": len(wanted),
        "batches": list(BATCHES),
        "anomalous": int(labels.sum()),
        "spread": scale.spread,
        "tolerance": usual,
        "largest": float(apart.max() / scale.spread),
        "largest_in_units": float(differences.max()),
        "beyond": int((differences > usual).sum()),
        "near": int(near.sum()),
        "flipped_near": int((flipped & near).sum()),
        "flipped_far": int((flipped & ~near).sum()),
        "wrong_p_values": wrong,
        "bytes": written.size,
        "export_seconds": round(seconds, 1),
        "runtime": written.parity.runtime,
        "dataset": "fashion-mnist",
        **provenance(),
    }


def kept(row: Row) -> bool:
    """Whether a line of results keeps what the table promises."""
    beyond = int(str(row["beyond"])) <= TABLE.few * TEST and float(str(row["largest_in_units"])) <= TABLE.worst
    return beyond and row["flipped_far"] == row["wrong_p_values"] == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="methods and presets; all, if none is given")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    failed = []
    for name in args.names or catalog.names():
        rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
        row = next((found for found in rows if found["cell"] == [name]), None)
        if row is None:
            try:
                row = measure(name)
            except WorkError as error:
                print(f"{name}: {error}", flush=True)
                failed.append(name)
                continue
            with args.out.open("a") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
        print(
            f"{name:24} largest {row['largest']:.1e} of the spread, {row['beyond']} beyond {row['tolerance']:.1e}; "
            f"{row['near']} within the tolerance, labels differ: {row['flipped_near']} of these, "
            f"{row['flipped_far']} of the others",
            flush=True,
        )
        failed += [] if kept(row) else [name]
    if failed:
        sys.exit(f"the promise is broken by {', '.join(failed)}")


if __name__ == "__main__":
    main()
