"""Explanations by name: which maps a scorer has, and all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Progress, Scorer
from amiss.data.images import Images, Layout
from amiss.data.stream import Stream
from amiss.engine.batches import batch
from amiss.engine.progress import silent
from amiss.engine.runtime import keep_workspace
from amiss.engine.scoring import MICRO_BATCH, device_of
from amiss.explain.gradient import gradient
from amiss.explain.layers import layer_maps
from amiss.explain.occlusion import occlusion
from amiss.explain.parts import outermost
from amiss.explain.residual import residual
from amiss.explain.substitution import substitution
from amiss.explain.tiled import stitched
from amiss.scores.abilities import has_layers, reconstructs
from amiss.transforms.tiles import Tiling

ACROSS = 14
"""Patches along the shorter side of an image, if no patch is given."""


@dataclass(frozen=True)
class Explanation:
    """Maps of N images; each map's sign stands with the function that makes it, and in docs/explain.md."""

    names: list[str]
    """What results call each image."""
    maps: dict[str, NDArray[np.float32] | list[NDArray[np.float32]]]
    """By name, (N, H, W) in the model's size: residual, occlusion, substitution, gradient, layer.1, layer.2, ...

    Of a tiled model in the images' own size, and where they have several, a list of N maps (H, W).
    """

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """The maps of that name, (N, H, W); raises KeyError, and InputError where images have several sizes."""
        found = self.maps[name]
        if isinstance(found, list):
            raise InputError(f"images of several sizes have maps of several sizes: take maps[{name!r}], a list of them")
        return found


@dataclass(frozen=True)
class _Kind:
    """One kind of map."""

    there: Callable[[Scorer], bool]
    """Whether a scorer has it."""
    make: Callable[[Scorer, Tensor, int], dict[str, Tensor]]
    """Maps (B, H, W) by name of images (B, C, H, W), with patches of so many pixels."""
    sweeps: bool = False
    """Whether it hides patch after patch, which takes hundreds of scores an image."""
    tiled: bool = False
    """Whether only tiled models have it."""


def half(patch: int) -> int:
    """From one patch to the next, half a patch: where patches overlap, a map is finer than they are."""
    return max(1, patch // 2)


@torch.no_grad()
def tile_scores(scorer: Scorer, x: Tensor) -> Tensor:
    """The score of each tile x (B, C, H, W) at all of its pixels, (B, H, W)."""
    return scorer(x)[:, None, None].expand(-1, *x.shape[2:])


KINDS: Mapping[str, _Kind] = {
    "residual": _Kind(lambda s: bool(outermost(s, reconstructs)), lambda s, x, _: {"residual": residual(s, x)}),
    "occlusion": _Kind(
        lambda s: True,
        lambda s, x, patch: {"occlusion": occlusion(s, x, patch, stride=half(patch))},
        sweeps=True,
    ),
    "substitution": _Kind(
        lambda s: bool(outermost(s, reconstructs)),
        lambda s, x, patch: {"substitution": substitution(s, x, patch, stride=half(patch))},
        sweeps=True,
    ),
    "gradient": _Kind(lambda s: s.differentiable, lambda s, x, _: {"gradient": gradient(s, x)}),
    "layers": _Kind(
        lambda s: bool(outermost(s, has_layers)),
        lambda s, x, patch: layer_maps(s, x, patch, stride=half(patch)),
        sweeps=True,
    ),
    "tiles": _Kind(lambda s: True, lambda s, x, _: {"tiles": tile_scores(s, x)}, tiled=True),
}
"""Every kind of map by its name."""


def available(scorer: Scorer, tiling: Tiling | None = None) -> tuple[str, ...]:
    """Names of the kinds of map that a scorer has, of whole images or of tiles."""
    kinds = KINDS.items()
    return tuple(name for name, kind in kinds if kind.there(scorer) and (tiling is not None or not kind.tiled))


def chosen(scorer: Scorer, maps: Sequence[str] | None, tiling: Tiling | None = None) -> tuple[str, ...]:
    """The kinds asked for, or all that the scorer has, of tiles those that hide no patches.

    Raises InputError for one that it lacks or nobody knows.
    """
    has = available(scorer, tiling)
    for name in () if maps is None else maps:
        if name not in KINDS:
            raise InputError(f"there is no map {name!r}: choose from {', '.join(KINDS)}")
        if name not in has:
            raise InputError(f"{type(scorer).__name__} has no map {name!r}: it has {', '.join(has)}")
    if maps is None:
        return tuple(name for name in has if tiling is None or not KINDS[name].sweeps)
    return tuple(maps)


def usual_patch(spec: ImageSpec) -> int:
    """Side in pixels of the patches that are taken if none is given: 2 at 28 pixels, 19 at 256."""
    return -(-min(spec.height, spec.width) // ACROSS)


def explain_stream(
    scorer: Scorer,
    source: Stream,
    layout: Layout,
    maps: Sequence[str] | None = None,
    patch: int | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Explain the images of a stream; `maps` as in `chosen`, `patch` as in `usual_patch` if not given.

    Images that are tiled are explained tile by tile. Raises InputError as they do, for a patch larger than the images
    or tiles, and for images that cannot be read.
    """
    kinds = chosen(scorer, maps, layout.tiling)
    size = usual_patch(layout.spec) if patch is None else patch
    keep_workspace()

    def make(x: Tensor) -> dict[str, Tensor]:
        return {name: values for kind in kinds for name, values in KINDS[kind].make(scorer, x, size).items()}

    names: list[str] = []
    found: list[dict[str, NDArray[np.float32]]] = []
    done, device = 0, device_of(scorer)
    for chunk in source:
        names += chunk.names
        pixels = chunk.pixels.numpy()
        if layout.tiling is None:
            parts = ({k: _plain(v) for k, v in make(x).items()} for x in _micro_batches(Images(pixels), device))
        else:
            parts = ({k: v[None] for k, v in stitched(image, layout, device, make).items()} for image in pixels)
        for part in parts:
            found.append(part)
            done += len(next(iter(part.values())))
            progress("explaining", done, source.total, "")
    return Explanation(names, {name: _joined([part[name] for part in found]) for name in found[0]})


def _micro_batches(images: Images, device: torch.device) -> Iterator[Tensor]:
    """Images (B, C, H, W) in [0, 1] on the device."""
    for start in range(0, len(images), MICRO_BATCH):
        yield batch(images, np.arange(start, min(start + MICRO_BATCH, len(images))), device)


def _plain(values: Tensor) -> NDArray[np.float32]:
    return values.to(torch.float32).cpu().numpy()


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Maps (B, H, W) of several batches as one array, or as a list of maps where their sizes differ."""
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts) if len(parts) > 1 else parts[0]
    return [values for part in parts for values in part]
