"""One image explained: where it is unlike normal ones, its normal counterpart, and the nearest training images."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from amiss.calibration.table import ScoreRow
from amiss.data.images import TOP, Images
from amiss.engine.batches import batch
from amiss.explain.maps import available
from amiss.explain.residual import reconstruction
from amiss.explain.showing import COARSE, MEANINGS
from amiss.serve.loaded import Loaded
from amiss.serve.refusal import RefusedError

FULL = 0.998
"""Share of a map's values that lie below the brightest colour."""
NEIGHBOURS = 3


@dataclass(frozen=True)
class HeatMap:
    """A map (H, W) of one image: larger = more of the score comes from there."""

    name: str
    meaning: str
    height: int
    width: int
    high: float
    """The value that is shown brightest."""
    values: str
    """The map as little-endian float32 in rows, base64."""


@dataclass(frozen=True)
class Neighbour:
    """A training image in the model file that is near by raw pixels."""

    name: str
    """Its file name, without the folders that it lay in."""
    distance: float
    """Root mean square difference of pixel values, from 0 for a copy to 1 for black beside white."""
    image: str
    """The thumbnail as a data address of a PNG."""


@dataclass(frozen=True)
class Explained:
    """What is known of one image."""

    row: ScoreRow
    image: str
    """The image as the model sees it, as a data address of a PNG."""
    counterpart: str | None
    """What the model would have liked to see, likewise; None where its score knows none."""
    map: HeatMap | None
    nearest: tuple[Neighbour, ...]
    """Nearest first; none where the model file keeps no thumbnails."""


def kinds(loaded: Loaded) -> list[str]:
    """Names of the maps that can be shown of this model, the usual one first."""
    has = available(loaded.detector.artifact.scorer)
    return [name for name in MEANINGS if name in has]


def explain(loaded: Loaded, pixels: NDArray[np.generic], name: str, kind: str | None) -> Explained:
    """Explain one image (1, C, H, W) in the layout; raises RefusedError (400) for a map that the model lacks."""
    offered = kinds(loaded)
    if kind is not None and kind not in offered:
        raise RefusedError(400, f"there is no map {kind[:100]!r}; this model has {', '.join(offered) or 'none'}")
    row = next(iter(loaded.tabulate([name], loaded.score(pixels))))
    chosen = kind or next(iter(offered), None)
    window = _window(pixels, TOP[loaded.layout.depth])
    return Explained(
        row,
        _png(_eight_bit(pixels[0], window)),
        _counterpart(loaded, pixels, window),
        None if chosen is None else _map(loaded, pixels, chosen),
        _nearest(loaded, pixels),
    )


def _window(pixels: NDArray[np.generic], top: float) -> tuple[float, float]:
    """Which values are shown black and white: of deep images, whose range is seldom used up, nearly all that occur."""
    if pixels.dtype != np.uint8:
        low, high = np.quantile(pixels.astype(np.float64), [1 - FULL, FULL])
        if high > low:
            return float(low), float(high)
    return 0, top


def _eight_bit(image: NDArray[np.generic], window: tuple[float, float]) -> NDArray[np.uint8]:
    """An image (C, H, W) in 0..255."""
    low, high = window
    return ((image.astype(np.float64) - low) / (high - low) * 255).clip(0, 255).round().astype(np.uint8)


def _counterpart(loaded: Loaded, pixels: NDArray[np.generic], window: tuple[float, float]) -> str | None:
    scorer = loaded.detector.artifact.scorer
    if "residual" not in available(scorer):
        return None
    device = loaded.detector.runtime.resolve()
    made = reconstruction(scorer, batch(Images(pixels), np.arange(1), device))[0].float().cpu().numpy()
    return _png(_eight_bit(made * TOP[loaded.layout.depth], window))


def _map(loaded: Loaded, pixels: NDArray[np.generic], kind: str) -> HeatMap:
    spec = loaded.layout.spec
    patch = max(1, min(spec.height, spec.width) // COARSE) if kind == "occlusion" else None
    found = loaded.detector.explain(pixels, [kind], patch=patch)[kind][0]
    shown = found.clip(min=0) if kind == "occlusion" else np.abs(found)
    return HeatMap(
        kind,
        MEANINGS[kind][1],
        height=shown.shape[0],
        width=shown.shape[1],
        high=float(np.quantile(shown, FULL)),
        values=base64.b64encode(shown.astype("<f4").tobytes()).decode("ascii"),
    )


def _nearest(loaded: Loaded, pixels: NDArray[np.generic]) -> tuple[Neighbour, ...]:
    thumbnails = loaded.detector.artifact.thumbnails
    if thumbnails is None:
        return ()
    found = loaded.detector.nearest(pixels, k=NEIGHBOURS)
    return tuple(
        Neighbour(_file_name(str(name)), float(distance), _png(thumbnails[int(index)]))
        for name, distance, index in zip(found.names[0], found.distance[0], found.index[0], strict=True)
    )


def _file_name(path: str) -> str:
    return PurePosixPath(PureWindowsPath(path).as_posix()).name


def _png(image: NDArray[np.uint8]) -> str:
    out = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0) if len(image) == 3 else image[0]).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
