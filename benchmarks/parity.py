"""Whether Python, ONNX Runtime, HTTP and Ray decide alike: every exportable method and preset, on 2,000 real images.

    AMISS_DATA=DIR python benchmarks/parity.py [NAME ...] [--out results/parity.jsonl]

Each method is fitted as in `onnx_parity.py`, for one epoch. The first 2,000 images of Fashion-MNIST's official test
set, as PNG files, go to `Detector.score`; to the exported file in ONNX Runtime, in batches of 33; to `amiss serve`, 32
files a request; and to Ray (`score_sharded`, one actor, shards of 500). A line of JSON for each method; those that have
one are passed over. Exits 1 if a label differs on an image further than the tolerance from the threshold, or if scores
leave the table in amiss/export/tolerance.py.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import onnx_parity
from amiss import Detector, WorkError, catalog
from amiss.contracts import Method
from amiss.data.sets import load
from amiss.export.runtime import Session
from amiss.export.tolerance import BATCHES, TABLE, Scale
from amiss.export.write import export_onnx
from amiss.scale.on_ray import OnRay
from amiss.scale.output import read_scores
from amiss.scale.scoring import score_sharded
from bodies import BOUNDARY, form
from cells import ROOT, Row, provenance
from server_process import Server, served

OUT = ROOT / "results" / "parity.jsonl"
EPOCHS, EACH, SHARD, TOGETHER = 1, 32, 500, 4
Found = tuple[np.ndarray, np.ndarray]
"""Scores (N,) and labels (N,)."""


def write_images(folder: Path) -> list[Path]:
    """The test images as PNG files."""
    images = load("fashion-mnist", "test").images.take(np.arange(onnx_parity.TEST)).numpy()
    folder.mkdir()
    files = [folder / f"{i:05}.png" for i in range(len(images))]
    for path, image in zip(files, images, strict=True):
        Image.fromarray(image[0]).save(path)
    return files


def over_http(server: Server, model: str, files: Sequence[Path]) -> Found:
    """What a server says."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=300)
    rows: list[dict[str, float]] = []
    for start in range(0, len(files), EACH):
        body = form([(path.name, path.read_bytes()) for path in files[start : start + EACH]])
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        connection.request("POST", f"/score?model={model}", body, kind)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise WorkError(f"{model}: {answer.status} {text[:200]!r}")
        rows += json.loads(text)["results"]
    connection.close()
    return np.array([row["pred_score"] for row in rows]), np.array([row["pred_label"] for row in rows])


def on_ray(detector: Detector, files: Sequence[Path], out: Path) -> Found:
    """What Ray says, in the order of the files."""
    score_sharded(detector, files[0].parent, out, engine=OnRay(workers=1), shard_images=SHARD)
    table = read_scores(out)
    order = np.argsort([Path(path).name for path in table.image_path], kind="stable")
    assert len(order) == len(files)
    assert table.pred_label is not None
    return table.pred_score[order], table.pred_label[order]


def in_onnx(path: Path, pixels: np.ndarray) -> Found:
    """What ONNX Runtime says."""
    found = Session(path).run_in_batches(pixels, BATCHES[-1])
    return found["pred_score"].astype(np.float64), found["pred_label"]


def compared(found: Found, wanted: np.ndarray, labels: np.ndarray, near: np.ndarray, scale: Scale, usual: float) -> Row:
    """How far one runtime is from Python."""
    scores, theirs = found
    apart = scale.difference(scores, wanted)
    return {
        "bit_equal": int((scores == wanted).sum()),
        "largest_in_units": float(apart.max()),
        "beyond": int((apart > usual).sum()),
        "flipped_near": int((near & (theirs != labels)).sum()),
        "flipped_far": int((~near & (theirs != labels)).sum()),
    }


def measure(detectors: dict[str, Detector], files: Sequence[Path], folder: Path) -> list[Row]:
    """Compare some methods, which one server serves."""
    rows: list[Row] = []
    exported: dict[str, tuple[Path, float, str]] = {}
    for name, detector in detectors.items():
        detector.save(folder / f"{name}.safetensors")
        written = export_onnx(detector, folder / f"{name}.onnx")
        exported[name] = (folder / f"{name}.onnx", written.parity.tolerance, written.parity.runtime)
    with served([folder / f"{name}.safetensors" for name in detectors], folder / "log", seconds=120) as server:
        http_found = {name: over_http(server, name, files) for name in detectors}
    for name, detector in detectors.items():
        path, usual, runtime = exported[name]
        table = detector.score([str(file) for file in files])
        wanted, labels = table.pred_score, detector.predict([str(file) for file in files])
        pixels = np.stack([np.asarray(Image.open(file)) for file in files])[:, None]
        scale = Scale.of(detector.calibration.scores)
        near = scale.near(wanted, detector.threshold_, usual)
        found = {
            "onnx": in_onnx(path, pixels),
            "http": http_found[name],
            "ray": on_ray(detector, files, folder / f"{name}-ray"),
        }
        rows.append(
            {
                "cell": [name],
                "settings": catalog.to_settings(detector.method),
                "images": len(files),
                "epochs": EPOCHS,
                "anomalous": int(labels.sum()),
                "tolerance": usual,
                "near": int(near.sum()),
                "runtimes": {key: compared(value, wanted, labels, near, scale, usual) for key, value in found.items()},
                "onnxruntime": runtime,
                "dataset": "fashion-mnist",
                **provenance(),
            }
        )
    return rows


def fitted(name: str) -> Detector:
    """A detector of a method or preset, as `onnx_parity.py` fits it."""
    method = onnx_parity.shrunk(catalog.load(name))
    assert isinstance(method, Method)
    return onnx_parity.fitted(method, EPOCHS)[0]


def show(row: Row) -> bool:
    """Print a line; whether it keeps what the table promises."""
    runtimes: dict[str, dict[str, float]] = row["runtimes"]  # type: ignore[assignment]
    told = [
        f"{name} {one['largest_in_units']:.1e} ({one['beyond']:.0f} beyond, labels differ {one['flipped_near']:.0f} + "
        f"{one['flipped_far']:.0f})"
        for name, one in runtimes.items()
    ]
    tolerance, name = float(str(row["tolerance"])), name_of(row)
    print(f"{name:24} {row['near']} within {tolerance:.1e} of the threshold; {'; '.join(told)}", flush=True)
    few, worst = TABLE.few * float(str(row["images"])), TABLE.worst
    return all(
        one["flipped_far"] == 0 and one["beyond"] <= few and one["largest_in_units"] <= worst
        for one in runtimes.values()
    )


def read(out: Path) -> list[Row]:
    """The lines that are there."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def name_of(row: Row) -> str:
    """The method or preset of a line."""
    cell = row["cell"]
    assert isinstance(cell, list)
    return str(cell[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="methods and presets; all, if none is given")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    names = args.names or list(catalog.names())
    done = {name_of(row) for row in read(args.out)}
    left = [name for name in names if name not in done]
    with tempfile.TemporaryDirectory() as top:
        files = write_images(Path(top, "images"))
        for start in range(0, len(left), TOGETHER):
            detectors: dict[str, Detector] = {}
            for name in left[start : start + TOGETHER]:
                detector = fitted(name)
                if not detector.artifact.scorer.exportable:
                    print(f"{name}: cannot be exported", flush=True)
                    continue
                detectors[name] = detector
            folder = Path(top, f"{start}")
            folder.mkdir()
            rows = measure(detectors, files, folder)
            with args.out.open("a") as out:
                out.write("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
            print(f"{start + len(rows)} of {len(left)} measured", flush=True)
    rows = [row for row in read(args.out) if name_of(row) in names]
    failed = [name_of(row) for row in rows if not show(row)]
    near, images = (sum(int(str(row[key])) for row in rows) for key in ("near", "images"))
    print(f"{len(rows)} methods and presets; {near} of {images} images within the tolerance of the threshold")
    if failed:
        sys.exit(f"the promise is broken by {', '.join(failed)}")


if __name__ == "__main__":
    main()
