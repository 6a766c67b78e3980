"""Draws docs/figures/corruptions.png: one image of CIFAR-10 under each condition, levels from left to right.

AMISS_DATA=DIR python scripts/corruption_figure.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amiss.data.sets import load
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt
from amiss.transforms.unit import to_unit

OUT = Path(__file__).parents[1] / "docs" / "figures" / "corruptions.png"
NUMBER, ZOOM, GAP, LEFT, TOP = 7, 3, 8, 120, 24


def main() -> None:
    x = to_unit(load("cifar-10", "test").images.take(np.array([NUMBER])))
    columns, step = (0, *LEVELS), 32 * ZOOM + GAP
    sheet = Image.new("RGB", (LEFT + step * len(columns), TOP + step * len(CONDITIONS)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for j, level in enumerate(columns):
        heading = f"level {level}" if level else "as it is"
        pen.text((LEFT + step * j + 16 * ZOOM, TOP // 2), heading, "black", font, anchor="mm")
        for i, name in enumerate(CONDITIONS):
            made = corrupt(x, name, level, seed=0)[0].permute(1, 2, 0)
            tile = Image.fromarray((made * 255).round().byte().numpy())
            tile = tile.resize((32 * ZOOM, 32 * ZOOM), Image.Resampling.NEAREST)
            sheet.paste(tile, (LEFT + step * j, TOP + step * i))
    for i, name in enumerate(CONDITIONS):
        pen.text((LEFT - GAP, TOP + step * i + 16 * ZOOM), name, "black", font, anchor="rm")
    OUT.parent.mkdir(exist_ok=True)
    sheet.save(OUT, optimize=True)


if __name__ == "__main__":
    main()
