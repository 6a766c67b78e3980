"""One fit, killed with SIGKILL at 20 moments and resumed each time: it must end with the weights of an undisturbed one.

    python benchmarks/kill_resume.py

The kills come from inside the process, so that each lands where it is meant to: in a worker thread while decoding,
between two training steps, while calibrating, and in the middle of writing a checkpoint or the model (before the sync,
between sync and rename). After every kill whatever stands on disk is read as the resumed run would read it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

EPOCHS = 6
IMAGES = 400

# event:n kills at the n-th event of that kind in its process. Counted in images, steps, batches, syncs and renames.
KILLS = [
    *(f"decode:{n}" for n in (1, 60, 90, 120)),
    *(f"replace:{n}" for n in (2, 3)),
    *(f"train:{n}" for n in (1, 4, 6, 9, 13, 3)),
    *(f"fsync:{n}" for n in (2, 4)),
    *(f"replace:{n}" for n in (2, 3)),
    *("calibrate:1", "calibrate:2"),
    *("write:1", "write:2"),
]


def killed_fit(folder: Path, model: Path, kill: str) -> None:
    """Run `amiss fit --resume` in this process, and die at the given event."""
    from amiss.__main__ import main
    from amiss.artifact import file as artifact_file
    from amiss.data import store
    from amiss.engine import fitting, scoring

    wanted, _, count = kill.partition(":")
    seen: Counter[str] = Counter()

    def event(name: str) -> None:
        seen[name] += 1
        if name == wanted and seen[name] == int(count):
            os.kill(os.getpid(), signal.SIGKILL)

    def before(module: object, name: str, kind: str | Callable[..., str | None]) -> None:
        real = getattr(module, name)

        def wrapped(*args: object, **options: object) -> object:
            label = kind if isinstance(kind, str) else kind(*args)
            if label is not None:
                event(label)
            return real(*args, **options)

        setattr(module, name, wrapped)

    before(store, "decode_with_kind", "decode")
    before(fitting, "batch", "train")
    before(scoring, "batch", "calibrate")
    before(os, "fsync", "fsync")
    before(Path, "replace", lambda path, target: "write" if Path(target) == model else "replace")
    before(artifact_file, "to_bytes", "write")
    sys.exit(main(command(folder, model)))


def command(folder: Path, model: Path) -> list[str]:
    options = ["--method", "gradcon", "--method.epochs", str(EPOCHS), "--resume"]
    return ["fit", str(folder), "-o", str(model), *options]


def make_images(folder: Path) -> None:
    """Smooth random images, 28 x 28."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        small = Image.fromarray(rng.integers(0, 256, (7, 7), dtype=np.uint8))
        small.resize((28, 28), Image.Resampling.BILINEAR).save(folder / f"{i:04}.png")


def check_files(model: Path) -> str:
    """Read what a resumed run would read; returns a word on how far the fit is."""
    from amiss.artifact.file import load
    from amiss.engine.workdir import Workdir

    if model.exists():
        load(model)
        return "model written"
    saved = Workdir(model.with_name(model.name + ".fit")).load()
    return "no checkpoint" if saved is None else f"checkpoint after epoch {saved[0]['epochs']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        killed_fit(Path(args.child[0]), Path(args.child[1]), args.child[2])
    with tempfile.TemporaryDirectory() as scratch:
        compare(Path(scratch))


def compare(scratch: Path) -> None:
    from amiss.artifact.file import load

    folder = scratch / "images"
    make_images(folder)
    straight, killed = scratch / "straight.safetensors", scratch / "killed.safetensors"
    run = [sys.executable, __file__, "--child", str(folder)]
    subprocess.run([*run, str(straight), "none:0"], check=True, capture_output=True)
    deaths = 0
    for kill in KILLS:
        code = subprocess.run([*run, str(killed), kill], capture_output=True).returncode
        died = code == -signal.SIGKILL
        deaths += died
        print(f"{kill:<14} {'killed' if died else f'ended with {code}':<14} {check_files(killed)}", flush=True)
    subprocess.run([*run, str(killed), "none:0"], check=True, capture_output=True)
    a, b = load(straight), load(killed)
    pairs = zip(a.scorer.state_dict().values(), b.scorer.state_dict().values(), strict=True)
    equal = all(torch.equal(x, y) for x, y in pairs) and np.array_equal(a.calibration_scores, b.calibration_scores)
    log = b.record["log"]
    assert isinstance(log, list)
    epochs = [record["epoch"] for record in log if record["event"] == "epoch"]
    kept = [record["epochs_kept"] for record in log if record["event"] == "resume"]
    left = [path.name for path in scratch.iterdir() if path not in (folder, straight, killed)]
    print(f"{deaths} of {len(KILLS)} runs died by SIGKILL; weights and calibration bit-equal: {equal}")
    print(f"epochs in the log: {epochs}; epochs kept at each resumption: {kept}; files left behind: {left}")
    if not (equal and deaths == len(KILLS) and epochs == list(range(1, EPOCHS + 1)) and not left):
        sys.exit("kill and resume: FAILED")


if __name__ == "__main__":
    main()
