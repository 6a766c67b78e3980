"""Does ARAE's published start leave the mean image? MNIST 8, the paper's settings, 1,600 epochs; resumable.

    AMISS_DATA=DIR python benchmarks/arae_plateau.py [--epochs 1600] [--steps 40] [--out results/arae_plateau.jsonl]

Every 10th epoch adds a line of JSON: the spread of the latent code over 1,000 training images (its root mean square
distance from the mean code; a sigmoid's codes lie between 0 and 1), the loss terms, and for reporting only the AUROC on
the entire official test set. Nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from amiss import catalog
from amiss.contracts import Scorer
from amiss.data.sets import load
from amiss.engine.batches import batch
from amiss.engine.fitting import fit
from amiss.engine.progress import Reporter
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images
from amiss.engine.workdir import Workdir
from amiss.evaluation.metrics import auroc
from amiss.methods.arae import ARAE
from amiss.protocols.one_vs_rest import entire
from amiss.scores.reconstruction import ReconstructionScorer
from cells import ROOT, provenance

EVERY, SAMPLE = 10, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1600)
    parser.add_argument("--steps", type=int, default=40, help="of the attack")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "arae_plateau.jsonl")
    parser.add_argument("--scratch", type=Path, default=ROOT / "results" / ".scratch" / "arae_plateau")
    args = parser.parse_args()
    method = catalog.load("arae_published")
    assert isinstance(method, ARAE)
    task = entire(load("mnist", "train"), load("mnist", "test"), 8)
    sample = batch(task.train, np.arange(SAMPLE), torch.device("cpu"))
    args.scratch.mkdir(parents=True, exist_ok=True)
    saved = Workdir(args.scratch).load()
    epoch = sum(record["event"] == "epoch" for record in saved[1]) if saved else 0
    started = time.perf_counter()

    def watch(scorer: Scorer) -> float:
        nonlocal epoch
        epoch += 1
        assert isinstance(scorer, ReconstructionScorer)
        with torch.no_grad():
            z = scorer.ae.encoder(sample)
        spread = (z - z.mean(0)).square().mean().sqrt().item()
        if epoch % EVERY == 0 or epoch == 1:
            found = auroc(score_images(scorer, task.test), task.labels.reveal("metric"))
            row = {"epoch": epoch, "steps": args.steps, "latent_spread": spread, "image_AUROC": found}
            row |= {"seconds": round(time.perf_counter() - started, 1), "seed": 0, **provenance()}
            with args.out.open("a") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
        return spread

    with torch.random.fork_rng():
        fit(
            replace(method, epochs=args.epochs, adversary=replace(method.adversary, steps=args.steps)),
            task.train.spec,
            task.train,
            runtime=Runtime("cpu", seed=0),
            workdir=args.scratch,
            check=False,
            progress=Reporter(),
            on_epoch=watch,
        )


if __name__ == "__main__":
    main()
