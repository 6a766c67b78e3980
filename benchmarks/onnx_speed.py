"""Speed of GradCon for single images in ONNX Runtime, as ratios against the authors' loop and against torch.

    python benchmarks/onnx_speed.py [--rounds 15] [--output results/onnx_speed.json]

One thread each. The exported file does more than the loop: it also turns stored pixels into numbers, finds the p-value
and the label, and draws the map. All variants take turns within each round; ratios are of medians.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from amiss.artifact.file import versions
from amiss.calibration.conformal import Calibration
from amiss.data.images import Layout
from amiss.engine.runtime import keep_workspace
from amiss.export.convert import to_onnx
from amiss.export.graph import Decision
from cells import provenance
from gradcon_ratios import SPEC, loop, trained
from ratios import medians, report

GOAL = 6.0
SINGLE = 64
"""Single images in one round of each variant but the loop."""


def single(session: onnxruntime.InferenceSession, images: np.ndarray) -> None:
    """Ask about one image at a time."""
    for i in range(SINGLE):
        session.run(None, {"images": images[i : i + 1]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, help="append the figures to a list in JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_workspace()
    before = os.getloadavg()[0]
    learner, x = trained(alpha=0.03)
    scorer = copy.deepcopy(learner.scorer()).eval().requires_grad_(False)
    stored = (255 * x).round().to(torch.uint8)
    with torch.no_grad():
        calibration = Calibration(scorer(x).double().numpy(), 0.05)
    content = to_onnx(Decision(scorer, calibration, maps=True), Layout(SPEC, "uint8"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def eager() -> None:
        with torch.no_grad():
            for i in range(SINGLE):
                scorer(x[i : i + 1])

    found = medians(
        {
            "onnxruntime, single images": (lambda: single(session, stored.numpy()), SINGLE),
            "onnxruntime, batches of 64": (lambda: session.run(None, {"images": stored[:64].numpy()}), 64),
            "torch, single images": (eager, SINGLE),
            "loop, single images": (lambda: loop(learner, x[:16]), 16),
        },
        args.rounds,
    )
    ratio = found["loop, single images"] / found["onnxruntime, single images"]
    print(f"GradCon at 28x28x1, one thread, {args.rounds} interleaved rounds, load before: {before:.2f}")
    report([("ONNX Runtime, single images: times faster than the loop", ratio, ">=", GOAL)])
    for name, seconds in found.items():
        print(f"{name:28} {1e3 * seconds:.3f} ms an image")
    load = [before, os.getloadavg()[0]]
    print(f"load after: {load[1]:.2f}")
    if args.output:
        row = {
            "ratio": round(ratio, 2),
            "goal": GOAL,
            "milliseconds": {name: round(1e3 * s, 4) for name, s in found.items()},
            "rounds": args.rounds,
            "load": load,
            "onnxruntime": onnxruntime.__version__,
            **provenance(),
            "versions": versions(),
        }
        before = json.loads(args.output.read_text()) if args.output.exists() else []
        args.output.write_text(json.dumps([*before, row], indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
