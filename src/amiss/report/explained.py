"""Pictures that explain an image: itself larger, its normal counterpart, a map, and the nearest training image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import Progress
from amiss.data.images import TOP, Images
from amiss.detector import Detector
from amiss.engine.batches import batch
from amiss.engine.progress import silent
from amiss.engine.runtime import place
from amiss.engine.scoring import MICRO_BATCH
from amiss.explain.maps import available, chosen
from amiss.explain.residual import reconstruction
from amiss.explain.showing import COARSE, MEANINGS
from amiss.report.collect import Kept, Whole
from amiss.report.large import large_maps
from amiss.report.page import Picture, Scale, Tile
from amiss.report.pictures import COUNTERPART, LARGE, NEAREST, Window, heat, picture
from amiss.report.words import number, split_path

ALIKE = (
    "The normal counterparts of these images are all but one picture, so the score tells little more than how bright "
    "an image is. The network has learnt too little: train for more epochs, or try another method."
)
FEW, SAME = 8, 0.05
"""From so many images on, counterparts that vary by less than this share of the images' variation are alike."""
FULL = 0.998
"""Share of all map values that lie below the brightest colour."""
PLACES = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))


@dataclass(frozen=True)
class Explained:
    """Tiles by the position of the image among all images, and what their maps' colours mean."""

    tiles: Mapping[int, tuple[Tile, ...]] = field(default_factory=dict)
    scale: Scale | None = None
    warnings: tuple[str, ...] = ()


def explain(
    detector: Detector,
    whole: Sequence[Whole],
    names: Mapping[int, str],
    window: Window,
    progress: Progress = silent,
) -> Explained:
    """Explain images with whatever the detector has."""
    if not whole:
        return Explained()
    tiled = detector.tiling is not None
    pixels = np.empty(0) if tiled else np.stack([one.pixels for one in whole])
    scorer = detector.artifact.scorer
    kinds = chosen(scorer, None, detector.tiling) if tiled else available(scorer)
    kind = next((name for name in MEANINGS if name in kinds), None)
    maps: Sequence[NDArray[np.float32]] | None = None
    if kind is not None:
        maps = large_maps(detector, whole, kind, progress) if tiled else [*_maps(detector, pixels, kind, progress)]
    high = 0.0 if maps is None else float(np.quantile(np.concatenate([values.ravel() for values in maps]), FULL))
    counterparts = None if tiled else _counterparts(detector, pixels)
    found: dict[int, tuple[Tile, ...]] = {}
    for i, one in enumerate(whole):
        if one.at not in names:
            continue
        name = split_path(names[one.at])[1]
        tiles = [Tile("image", "image", name, picture(window.apply(one.pixels), LARGE))]
        if counterparts is not None:
            alt = f"normal counterpart of {name}"
            tiles.append(
                Tile("counterpart", "normal counterpart", alt, picture(window.apply(counterparts[i]), COUNTERPART))
            )
        if maps is not None and kind is not None:
            alt = f"{MEANINGS[kind][0]} map of {name}, brightest at the {brightest(maps[i])}"
            tiles.append(Tile("map", f"{MEANINGS[kind][0]} map", alt, heat(maps[i], high)))
        found[one.at] = tuple(tiles)
    warnings = () if counterparts is None or not _alike(counterparts, pixels) else (ALIKE,)
    if kind is None:
        return Explained(found, None, warnings)
    word, meaning = MEANINGS[kind]
    return Explained(found, Scale(f"{word} map", meaning, "0", f"{number(high)} or more"), warnings)


def counterparts_alike(detector: Detector, pixels: NDArray[np.generic]) -> bool:
    """Whether the normal counterparts of images (N, C, H, W) in the model's layout are all but one picture."""
    made = _counterparts(detector, pixels)
    return made is not None and _alike(made, pixels)


def _alike(counterparts: NDArray[np.generic], pixels: NDArray[np.generic]) -> bool:
    """Whether different images have all but the same counterpart."""
    if len(pixels) < FEW:
        return False
    ours, theirs = (float(x.astype(np.float64).std(0).mean()) for x in (counterparts, pixels))
    return ours < SAME * theirs


def _maps(detector: Detector, pixels: NDArray[np.generic], kind: str, progress: Progress) -> NDArray[np.float32]:
    """Maps (N, H, W) as they are shown: strengths, of an occlusion those of places that raise the score."""
    spec = detector.layout.spec
    coarse = max(1, min(spec.height, spec.width) // COARSE) if kind == "occlusion" else None
    maps = detector.explain(pixels, [kind], patch=coarse, progress=progress)[kind]
    return maps.clip(min=0) if kind == "occlusion" else np.abs(maps)


def _counterparts(detector: Detector, pixels: NDArray[np.generic]) -> NDArray[np.generic] | None:
    """Normal counterparts (N, C, H, W) in the images' depth, or None where the score knows none."""
    scorer, device = detector.artifact.scorer, detector.runtime.resolve()
    if "residual" not in available(scorer):
        return None
    place(scorer, device)
    images = Images(pixels)
    parts = [
        reconstruction(scorer, batch(images, np.arange(start, min(start + MICRO_BATCH, len(images))), device))
        for start in range(0, len(images), MICRO_BATCH)
    ]
    unit = np.concatenate([part.float().cpu().numpy() for part in parts]).clip(0, 1)
    top = TOP[detector.layout.depth]
    return unit if top == 1 else (unit * top).round().astype(pixels.dtype)


def brightest(values: NDArray[np.floating]) -> str:
    """Where a map (H, W) is brightest on the whole: the ninth with the largest mean, in words."""
    rows, columns = (np.array_split(np.arange(n), 3) for n in values.shape)
    means = [[float(values[np.ix_(r, c)].mean()) if len(r) and len(c) else -np.inf for c in columns] for r in rows]
    row, column = np.unravel_index(int(np.argmax(means)), (3, 3))
    return PLACES[int(row)][int(column)]


@dataclass(frozen=True)
class Neighbours:
    """The nearest training image of each image that is shown, and the pictures of those."""

    tiles: Mapping[int, Tile] = field(default_factory=dict)
    """By the position of the image among all images."""
    pictures: tuple[Picture, ...] = ()


@dataclass(eq=False)
class NearestFinder:
    """Finds nearest training images while images pass by."""

    detector: Detector
    index: dict[int, tuple[int, float, str]] = field(default_factory=dict)

    def add(self, rows: Mapping[int, int], names: Sequence[str], pixels: NDArray[np.generic]) -> None:
        """Take the `rows` of images (B, C, H, W) with their names (B,), by their positions among all images.

        An image that is kept itself, under its name, is not its own neighbour.
        """
        if self.detector.artifact.thumbnails is None or not rows:
            return
        found = self.detector.nearest(pixels[list(rows.values())], k=2)
        for i, (at, row) in enumerate(rows.items()):
            near = [k for k, name in enumerate(found.names[i]) if name != names[row]][:1]
            for k in near:
                self.index[at] = (int(found.index[i, k]), float(found.distance[i, k]), str(found.names[i, k]))

    def neighbours(self, kept: Sequence[Kept]) -> Neighbours:
        """Tiles for the images that are shown; each training image is kept once."""
        small = self.detector.artifact.thumbnails
        if small is None:
            return Neighbours()
        used = sorted({self.index[one.at][0] for one in kept if one.at in self.index})
        place = {at: i for i, at in enumerate(used)}
        tiles = {one.at: _tile(place, *self.index[one.at]) for one in kept if one.at in self.index}
        return Neighbours(tiles, tuple(picture(small[at], NEAREST) for at in used))


def _tile(place: Mapping[int, int], at: int, distance: float, name: str) -> Tile:
    alt = f"nearest kept training image: {split_path(name)[1]}, {number(distance)} away"
    return Tile("nearest", "nearest normal", alt, shared=place[at])
