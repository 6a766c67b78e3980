"""Draws docs/figures/corruptions.png: one image of CIFAR-10 under each condition, levels from left to right.

    AMISS_DATA=DIR python scripts/corruption_figure.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amiss.data.sets import load
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt
from amiss.transforms.unit import to_unit

OUT = Path(__file__).parents[1] / "docs" / "figures" / "corruptions.png"
NUMBER, ZOOM, GAP = 7, 3, 2


def main() -> None:
    x = to_unit(load("cifar-10", "test").images.take(np.array([NUMBER])))
    rows = [[corrupt(x, name, level, seed=0)[0] for level in (0, *LEVELS)] for name in CONDITIONS]
    padded = [[torch.nn.functional.pad(made, (GAP,) * 4, value=1.0) for made in row] for row in rows]
    pixels = torch.cat([torch.cat(row, 2) for row in padded], 1)
    image = Image.fromarray((pixels.permute(1, 2, 0) * 255).round().byte().numpy())
    OUT.parent.mkdir(exist_ok=True)
    image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
