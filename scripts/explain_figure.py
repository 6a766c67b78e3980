"""Draws docs/figures/explain.png: what each map says of T-shirts with planted defects, and descents from noise below.

    AMISS_DATA=DIR python scripts/explain_figure.py

Columns: the image, residual, occlusion, substitution, gradient, and the four decoder layers, by GradCon; last, the
nearest training image. Red raises the score, blue lowers it; each map has a scale of its own. The last row shows four
pieces of noise and the local minima that the descents from them end in.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from amiss import Detector
from amiss.data.sets import load
from amiss.explain.minima import minima
from amiss.methods.gradcon import GradCon

OUT = Path(__file__).parents[1] / "docs" / "figures" / "explain.png"
TRAIN, EPOCHS, ZOOM, GAP, DESCENTS = 1500, 20, 3, 2, 5


def images() -> NDArray[np.uint8]:
    """T-shirts (N, 28, 28); the last four are to be defective."""
    found = load("fashion-mnist", "train")
    x = found.images.take(np.flatnonzero(found.labels == 0)[: TRAIN + 4]).numpy()[:, 0]
    x[TRAIN + 1, 18:23, 11:16] = 255  # a bright square
    x[TRAIN + 2, 12:17, 12:17] = 0  # a dark one
    x[TRAIN + 3, range(6, 20), range(8, 22)] = 255  # a scratch
    x[TRAIN + 3, range(6, 20), range(9, 23)] = 255
    return x


def grey(x: NDArray[np.generic]) -> NDArray[np.uint8]:
    """An image (H, W) from 0 to 255 in three channels."""
    return np.repeat(x[..., None].astype(np.uint8), 3, 2)


def signed(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A map (H, W): red above zero, blue below, white at zero."""
    share = values / max(float(np.abs(values).max()), 1e-30)
    red, blue = 1 - np.clip(-share, 0, 1), 1 - np.clip(share, 0, 1)
    return (255 * np.stack([red, np.minimum(red, blue), blue], 2)).round().astype(np.uint8)


def row(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Tiles (H, W, 3) side by side."""
    return np.concatenate([np.pad(t, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for t in tiles], 1)


def main() -> None:
    torch.set_num_threads(1)
    x = images()
    detector = Detector(GradCon(epochs=EPOCHS), device="cpu").fit(x[:TRAIN])
    shown = x[TRAIN:]
    explained, near, kept = detector.explain(shown), detector.nearest(shown, 1), detector.artifact.thumbnails
    assert kept is not None
    rows = []
    for i, image in enumerate(shown):
        maps = [signed(found[i]) for found in explained.maps.values()]
        rows.append(row([grey(image), *maps, grey(kept[near.index[i, 0], 0])]))
    found = minima(detector.artifact.scorer, detector.layout.spec, DESCENTS)
    ends = [grey(255 * image[0].numpy()) for image in found.images]
    starts = [grey(255 * image[0].numpy()) for image in found.noise]
    rows.append(row([tile for pair in zip(starts, ends, strict=True) for tile in pair]))
    picture = Image.fromarray(np.concatenate(rows, 0))
    picture = picture.resize((picture.width * ZOOM, picture.height * ZOOM), Image.Resampling.NEAREST)
    picture.quantize(128).save(OUT, optimize=True)
    print(f"columns: image, {', '.join(explained.maps)}, nearest; {OUT.stat().st_size // 1000} kB")
    print("scores of noise and minima:", found.noise_scores.tolist(), found.scores.tolist())


if __name__ == "__main__":
    main()
