"""How maps are shown to people: what each kind means in words, and the colours of its values."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, tuple[str, str]] = {
    "residual": ("residual", "squared difference between the image and its normal counterpart, pixel by pixel"),
    "gradient": ("gradient", "how strongly the score reacts to each pixel"),
    "occlusion": ("occlusion", "how much the score falls when a patch is hidden"),
    "tiles": ("tile score", "how far each tile's score lies above the lowest one on this page"),
}
"""Maps that a page can show, the first that the detector has; with a word for it, and what it means."""
COARSE = 7
"""Patches along the shorter side that a page hides one by one; finer ones would take minutes."""
INFERNO = (
    (0, 0, 4), (11, 7, 36), (33, 12, 74), (61, 9, 101), (87, 16, 110), (113, 25, 110), (138, 34, 106), (163, 44, 97),
    (188, 55, 84), (210, 70, 68), (228, 90, 49), (241, 115, 29), (249, 142, 9), (252, 172, 17), (249, 203, 53),
    (242, 234, 105), (252, 255, 164),
)  # fmt: skip
"""Anchors of Matplotlib's scale of that name (CC0): even in lightness, so that it is read without colour vision."""
