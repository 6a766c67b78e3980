"""Pages made by hand."""

from __future__ import annotations

import numpy as np

from amiss.report.page import Card, Fact, Page, Picture, Scale, Section, Tile
from amiss.report.pictures import SMALL, picture

THRESHOLD = 0.5

NASTY = [
    "<script>window.hurt=1</script>.png",
    '"><img src=x onerror="window.hurt=1">.png',
    "' onfocus='window.hurt=1' autofocus='.png",
    "</script><script>window.hurt=1</script>",
    "<!--<script>-->.png",
    "]]>&lt;b&gt;&amp;.png",
    "{{ 7 * 7 }}{% raw %}.png",
    'new\nline,"quoted"\r\n.png',
    "left\u202eright\u2066gnp.exe\u2028\u2029.png",
    "=cmd|'/c calc'!A1",
    "javascript:window.hurt=1",
    "x" * 251 + ".png",
    "ü" * 125 + ".png",
    "tab\tand\x1b[31mcolour.png",
    "  spaces at the ends.png  ",
    "a/../../b\\c.png",
]
"""Names that try to get out of where they stand."""


def small_picture(seed: int = 0, side: int = 32) -> Picture:
    return picture(np.random.default_rng(seed).integers(0, 256, (1, side, side), dtype=np.uint8), SMALL)


def make_card(name: str, score: float, **more: object) -> Card:
    tiles = (
        Tile("image", "image", f"picture of {name}", small_picture()),
        Tile("nearest", "nearest", "near", shared=0),
    )
    values: dict[str, object] = {"where": "new", "tiles": tiles, "p_value": 0.02, "percentile": 98.0}
    return Card(name=name, score=score, above=score > THRESHOLD, **values | more)  # type: ignore[arg-type]


def make_page(cards: list[Card], **more: object) -> Page:
    values: dict[str, object] = {
        "title": "Review of photos",
        "lead": "Some images.",
        "made": "Made by a test.",
        "facts": (Fact("Images", str(len(cards)), "scored"),),
        "sections": (Section("Training", lines=("It went well.",)),),
        "threshold": THRESHOLD,
        "scale": Scale("residual map", "difference", "0", "1"),
        "shared": (small_picture(1),),
    }
    return Page(cards=tuple(cards), **values | more)  # type: ignore[arg-type]
