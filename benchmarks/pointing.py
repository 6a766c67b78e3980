"""The pointing game on real images with planted defects: does a map's maximum lie within the defect?

    AMISS_DATA=DIR python benchmarks/pointing.py [--out results/pointing.jsonl]

Normal images of Fashion-MNIST (T-shirts, 28 x 28) and of Brain MRI (64 x 64, without copies). Each method is fitted on
some of them; into others a defect of known shape is planted at random: a bright or a dark square, a bright scratch, or
a square of random grey values, wherever it changes the pixels under it by at least 0.2 in the mean. One line of JSON
for each data set, method, kind of defect and map: the share of maxima within the defect (of several equal maxima, their
share), its standard error, and chance, which is the defect's share of the image. No map was tuned on these images.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amiss import Detector
from amiss.contracts import Method
from amiss.data.sets import load
from amiss.engine.runtime import derive
from amiss.explain.pointing import pointed
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from cells import ROOT, Row, provenance

OUT = ROOT / "results" / "pointing.jsonl"
Mask = NDArray[np.bool_]
MAPS = ("residual", "occlusion", "substitution", "gradient")
VISIBLE = 0.2


@dataclass(frozen=True)
class Game:
    """A data set: how many normal images are learnt from, how many get each defect, and the networks' epochs."""

    name: str
    label: int
    size: int
    train: int
    test: int
    epochs: int

    def normals(self) -> NDArray[np.uint8]:
        """Different normal images (N, C, H, W) in a seeded order."""
        found = load(self.name, "train") if self.name == "fashion-mnist" else load(self.name, "all", size=self.size)
        index = np.flatnonzero(found.labels == self.label)
        _, first = np.unique(found.images.subset(index).digests(), return_index=True)
        index = index[np.sort(first)]
        index = np.random.default_rng(derive(0, self.name)).permutation(index)[: self.train + self.test]
        return found.images.take(index).numpy()

    def methods(self) -> dict[str, Method]:
        return {
            "knn": KNN(),
            "pca": PCA(),
            "cae": GradCon(alpha=0.0, epochs=self.epochs),
            "gradcon": GradCon(epochs=self.epochs),
        }


GAMES = (Game("fashion-mnist", 0, 28, 1500, 50, 20), Game("brain-mri", 0, 64, 60, 27, 100))


def square(rng: np.random.Generator, size: int, share: float = 5 / 28) -> Mask:
    """A square somewhere."""
    side = round(share * size)
    top, left = rng.integers(0, size - side + 1, 2)
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def line(rng: np.random.Generator, size: int) -> Mask:
    """A scratch of a third of the side, in any direction."""
    angle, half, width = rng.uniform(0, np.pi), size / 6, size / 28
    y, x = rng.uniform(half, size - half, 2)
    down, across = np.mgrid[:size, :size] + 0.5
    along = (down - y) * np.sin(angle) + (across - x) * np.cos(angle)
    aside = (down - y) * np.cos(angle) - (across - x) * np.sin(angle)
    return (np.abs(along) <= half) & (np.abs(aside) <= width)


Plant = Callable[[np.random.Generator, NDArray[np.uint8]], tuple[NDArray[np.uint8], Mask]]
"""Grey values that a defect puts into an image (H, W), and where."""

DEFECTS: dict[str, Plant] = {
    "bright": lambda rng, x: (np.full_like(x, 255), square(rng, len(x))),
    "dark": lambda rng, x: (np.zeros_like(x), square(rng, len(x))),
    "scratch": lambda rng, x: (np.full_like(x, 255), line(rng, len(x))),
    "texture": lambda rng, x: (rng.integers(0, 256, x.shape, dtype=np.uint8), square(rng, len(x), 7 / 28)),
}


def planted(x: NDArray[np.uint8], plant: Plant, seed: int) -> tuple[NDArray[np.uint8], Mask]:
    """Images (N, C, H, W) with a visible defect each, and masks (N, H, W)."""
    rng, x = np.random.default_rng(seed), x.copy()
    masks = np.zeros((len(x), *x.shape[2:]), bool)
    for i, image in enumerate(x):
        while True:
            values, mask = plant(rng, image[0])
            changed = np.where(mask, values, image)
            if np.abs(changed.astype(float) - image)[:, mask].mean() >= VISIBLE * 255:
                break
        x[i], masks[i] = changed, mask
    return x, masks


def play(game: Game, name: str, method: Method, made: Row) -> list[Row]:
    """The rows of one data set and method; `made` says what made them."""
    images = game.normals()
    started = time.perf_counter()
    detector = Detector(method, fpr=None, size=game.size, device="cpu").fit(images[: game.train])
    seconds = time.perf_counter() - started
    rows: list[Row] = []
    for kind, plant in DEFECTS.items():
        x, masks = planted(images[game.train :], plant, derive(0, game.name, kind))
        explained = detector.explain(x, MAPS)
        for map_name, found in explained.maps.items():
            hits = pointed(np.abs(found) if map_name == "gradient" else found, masks)
            rows.append(
                {
                    **{"dataset": game.name, "method": name, "defect": kind, "map": map_name, "images": len(x)},
                    **{"hits": round(hits.mean(), 4), "standard_error": round(hits.std() / len(x) ** 0.5, 4)},
                    **{"chance": round(masks.mean(), 4), "train": game.train, "size": game.size},
                    **{"epochs": getattr(method, "epochs", None), "fit_seconds": round(seconds, 1), **made},
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    rows, made = [], provenance()  # of the code that was imported, whatever is committed while this runs
    for game in GAMES:
        for name, method in game.methods().items():
            for row in play(game, name, method, made):
                rows.append(row)
                print(*(row[key] for key in ("dataset", "method", "defect", "map", "hits", "chance")), flush=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
