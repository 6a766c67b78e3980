"""Training on two processes against one: seconds for each step, and how far the losses of an epoch lie apart.

    python benchmarks/processes_ratio.py [--rounds 9] [--epochs 10] [--output results/processes.json]

Two processes of one thread each take turns within each round: the first one trains alone while the other waits, then
both train together on the same batches, so that a load on the machine falls on both; ratios are of medians. Fits are of
640 of the bundled images, and 80 held out, from the same seed: alone, together, and, as a measure of what rounding does
by itself, alone with every pixel moved to the next float32 number.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amiss import catalog
from amiss.artifact.file import versions
from amiss.contracts import Method, Phase
from amiss.data.demo import load_demo
from amiss.data.images import Images
from amiss.engine.fitting import fit
from amiss.engine.processes import alone, together, wait
from amiss.engine.runtime import Runtime, keep_workspace, place
from amiss.methods.arae import ARAE
from amiss.methods.gradcon import GradCon
from amiss.sharing import dividing, leads
from amiss.transforms.unit import to_unit

STEPS: dict[str, tuple[Method, int, int]] = {
    "GradCon, 64 images a step": (GradCon(), 64, 12),
    "GradCon, 512 images a step": (GradCon(), 512, 2),
    "ARAE, 256 images a step": (ARAE(), 256, 6),
}
"""Methods, images in a batch, and steps in a turn."""

FITS = ("gradcon", "vae", "arae", "dae")
IMAGES, HELD_OUT = 640, 80


def step_seconds(method: Method, size: int, times: int, rounds: int) -> dict[str, float]:
    """Median seconds for a step of the method's last phase, alone and together."""
    images = to_unit(load_demo().train.take(np.arange(size)))
    phases = {how: last_phase(method) for how in ("alone", "together")}
    seconds: dict[str, list[float]] = {how: [] for how in phases}
    for number in range(rounds + 1):
        for how, taken in seconds.items():
            wait()
            started = time.perf_counter()
            if leads() or how == "together":
                with alone() if how == "alone" else nullcontext():
                    turn(phases[how], images, times)
            if number:  # the first round warms up
                taken.append((time.perf_counter() - started) / times)
    return {how: statistics.median(taken) for how, taken in seconds.items()}


def last_phase(method: Method) -> Phase:
    torch.manual_seed(0)
    learner = method.learner(load_demo().train.spec)
    place(learner, torch.device("cpu"))
    *_, phase = learner.phases()
    return phase


def turn(phase: Phase, images: Tensor, times: int) -> None:
    for _ in range(times):
        with dividing(len(images), divisible=phase.divisible) as mine:
            phase.step(images[mine.rows])


def losses(name: str, epochs: int, *, moved: bool = False) -> list[list[float]]:
    """Every epoch's losses of a short fit."""
    pixels = to_unit(load_demo().train.take(np.arange(IMAGES + HELD_OUT))).numpy()
    images = Images(np.nextafter(pixels, np.float32(1)) if moved else pixels)
    train, held_out = images.subset(np.arange(IMAGES)), images.subset(np.arange(IMAGES, IMAGES + HELD_OUT))
    made = fit(catalog.load(name), images.spec, train, held_out, runtime=Runtime("cpu"), max_epochs=epochs)
    told = [record["losses"] for record in made.log if record["event"] == "epoch"]
    return [[float(value) for value in epoch.values()] for epoch in told if isinstance(epoch, dict)]


def apart(one: Sequence[Sequence[float]], two: Sequence[Sequence[float]]) -> list[float]:
    """The largest relative difference of a loss, epoch by epoch."""
    pairs = zip(one, two, strict=True)
    return [max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(x, y, strict=True)) for x, y in pairs]


def inside(args: argparse.Namespace) -> None:
    """What each of the two processes does."""
    torch.set_num_threads(1)
    keep_workspace()
    before = os.getloadavg()[0]
    with together():
        timed = {what: step_seconds(*knobs, args.rounds) for what, knobs in STEPS.items()}
        differences, rounding = {}, {}
        for name in FITS:
            wait()
            two = losses(name, args.epochs)
            if leads():
                with alone():
                    one = losses(name, args.epochs)
                    rounding[name] = apart(one, losses(name, args.epochs, moved=True))
                differences[name] = apart(one, two)
        if not leads():
            return
    for what, seconds in timed.items():
        one, two = seconds["alone"], seconds["together"]
        print(f"{what:<28} {1e3 * one:7.1f} ms alone {1e3 * two:7.1f} ms together {one / two:5.2f} times faster")
    for name, far in differences.items():
        told = f"{max(far[:1]):.1e} after an epoch, {max(far):.1e} at most in {len(far)} epochs"
        print(f"{name:<10} losses apart by {told}; pixels moved: {max(rounding[name]):.1e}")
    if args.output:
        found = {
            "seconds": timed,
            "apart": differences,
            "apart by rounding": rounding,
            "rounds": args.rounds,
            "cores": os.cpu_count(),
            "load": [before, os.getloadavg()[0]],
            "versions": versions(),
        }
        args.output.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", type=Path, help="write the figures there as JSON")
    args = parser.parse_args()
    if "RANK" in os.environ:
        inside(args)
        return
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    sys.exit(subprocess.run([*torchrun, __file__, *sys.argv[1:]], env=environment).returncode)


if __name__ == "__main__":
    main()
