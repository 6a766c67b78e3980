"""Speed of occlusion-1 as ratios: positions in batches against one position at a time.

    AMISS_DATA=DIR python benchmarks/occlusion_ratio.py [--rounds 5] [--output results/occlusion_ratio.jsonl]

One position at a time: copy the image, set a pixel to black, score the copy; 784 calls for an image of 28 x 28. Both
variants see the same image and take turns within each round, one thread, so that a load on the machine falls on both;
ratios are of medians. A pixel that is black already changes nothing and is skipped; the ratio without that saving is
printed too, from a run with grey in place of black. Networks are untrained: weights do not change the time.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amiss import catalog
from amiss.contracts import Scorer
from amiss.data.images import Images
from amiss.data.sets import load
from amiss.engine.batches import batch
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime, keep_workspace
from amiss.explain.occlusion import occlusion
from ratios import Goal, Variants, medians, record, report

SETS = {
    "MNIST 8": ("mnist", 8),
    "Fashion-MNIST dress": ("fashion-mnist", 3),
    "Fashion-MNIST T-shirt": ("fashion-mnist", 0),
}
METHODS = ("ae", "cae", "gradcon", "ama", "knn", "pca")
TRAINED = ("knn", "pca")
GREY, GOAL = 0.5, 20.0


def normals(dataset: str, label: int, n: int) -> Images:
    """The first n training images of a class."""
    found = load(dataset, "train")
    return found.images.subset(np.flatnonzero(found.labels == label)[:n])


def typical(images: Images) -> Tensor:
    """The image (1, C, H, W) whose share of pixels that are not black is the median."""
    x = batch(images, np.arange(len(images)), torch.device("cpu"))
    order = (x > 0).flatten(1).sum(1).argsort()
    return x[order[len(order) // 2]][None]


def scorer_of(name: str, images: Images) -> Scorer:
    method, epochs = catalog.load(name), None if name in TRAINED else 0
    held_out = images.subset(np.arange(64))
    return fit(method, images.spec, images, held_out, runtime=Runtime("cpu"), max_epochs=epochs, check=False).scorer


@torch.no_grad()
def one_at_a_time(scorer: Scorer, x: Tensor) -> Tensor:
    """The map (H, W) of one image (1, C, H, W)."""
    found, whole = torch.zeros(x.shape[2:]), scorer(x)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            hidden = x.clone()
            hidden[:, :, row, column] = 0
            found[row, column] = (whole - scorer(hidden)).item()
    return found


def variants(scorer: Scorer, x: Tensor) -> Variants:
    return {
        "one at a time": (lambda: one_at_a_time(scorer, x), 1),
        "batched": (lambda: occlusion(scorer, x), 1),
        "batched, none skipped": (lambda: occlusion(scorer, x, fill=GREY), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="append the figures as a line of JSON")
    args = parser.parse_args()
    keep_workspace()
    torch.set_num_threads(1)
    before = os.getloadavg()[0]
    print(f"occlusion-1 of one image of 28x28x1, {args.rounds} rounds, 1 thread, load {before:.2f}")
    found: list[Goal] = []
    seconds: dict[str, dict[str, float]] = {}
    for title, (dataset, label) in SETS.items():
        images = normals(dataset, label, 2000)
        x = typical(images)
        print(f"{title}: {(x > 0).float().mean():.0%} of the pixels are not black")
        for name in METHODS:
            scorer = scorer_of(name, images)
            t = seconds[f"{title}, {name}"] = medians(variants(scorer, x), args.rounds)
            found.append((f"{title}, {name}", t["one at a time"] / t["batched"], ">=", 20.0))
            found.append(
                (f"{title}, {name}, none skipped", t["one at a time"] / t["batched, none skipped"], ">=", 20.0)
            )
    report(found)
    if args.output:
        record(args.output, found, seconds, before)


if __name__ == "__main__":
    main()
