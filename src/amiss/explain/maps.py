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
from amiss.engine.fitting import batch
from amiss.engine.progress import silent
from amiss.engine.runtime import keep_workspace
from amiss.engine.scoring import MICRO_BATCH, device_of
from amiss.explain.gradient import gradient
from amiss.explain.layers import layer_maps
from amiss.explain.occlusion import occlusion
from amiss.explain.parts import outermost
from amiss.explain.residual import residual
from amiss.explain.substitution import substitution
from amiss.scores.abilities import has_layers, reconstructs

ACROSS = 14
"""Patches along the shorter side of an image, if no patch is given."""


@dataclass(frozen=True)
class Explanation:
    """Maps of N images; each map's sign stands with the function that makes it, and in docs/explain.md."""

    names: list[str]
    """What results call each image."""
    maps: dict[str, NDArray[np.float32]]
    """By name, (N, H, W) in the model's size: residual, occlusion, substitution, gradient, layer.1, layer.2, ..."""

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """The map of that name, (N, H, W); raises KeyError."""
        return self.maps[name]


@dataclass(frozen=True)
class _Kind:
    """One kind of map."""

    there: Callable[[Scorer], bool]
    """Whether a scorer has it."""
    make: Callable[[Scorer, Tensor, int], dict[str, Tensor]]
    """Maps (B, H, W) by name of images (B, C, H, W), with patches of so many pixels."""


def half(patch: int) -> int:
    """From one patch to the next, half a patch: where patches overlap, a map is finer than they are."""
    return max(1, patch // 2)


KINDS: Mapping[str, _Kind] = {
    "residual": _Kind(lambda s: bool(outermost(s, reconstructs)), lambda s, x, _: {"residual": residual(s, x)}),
    "occlusion": _Kind(lambda s: True, lambda s, x, patch: {"occlusion": occlusion(s, x, patch, stride=half(patch))}),
    "substitution": _Kind(
        lambda s: bool(outermost(s, reconstructs)),
        lambda s, x, patch: {"substitution": substitution(s, x, patch, stride=half(patch))},
    ),
    "gradient": _Kind(lambda s: s.differentiable, lambda s, x, _: {"gradient": gradient(s, x)}),
    "layers": _Kind(
        lambda s: bool(outermost(s, has_layers)), lambda s, x, patch: layer_maps(s, x, patch, stride=half(patch))
    ),
}
"""Every kind of map by its name."""


def available(scorer: Scorer) -> tuple[str, ...]:
    """Names of the kinds of map that a scorer has."""
    return tuple(name for name, kind in KINDS.items() if kind.there(scorer))


def chosen(scorer: Scorer, maps: Sequence[str] | None) -> tuple[str, ...]:
    """The kinds asked for, or all that the scorer has; raises InputError for one that it lacks or nobody knows."""
    has = available(scorer)
    for name in () if maps is None else maps:
        if name not in KINDS:
            raise InputError(f"there is no map {name!r}: choose from {', '.join(KINDS)}")
        if name not in has:
            raise InputError(f"{type(scorer).__name__} has no map {name!r}: it has {', '.join(has)}")
    return has if maps is None else tuple(maps)


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

    Raises InputError as they do, for a patch larger than the images, and for images that cannot be read.
    """
    kinds = chosen(scorer, maps)
    size = usual_patch(layout.spec) if patch is None else patch
    keep_workspace()
    names: list[str] = []
    found: list[dict[str, NDArray[np.float32]]] = []
    done = 0
    for chunk in source:
        names += chunk.names
        for x in _micro_batches(Images(chunk.pixels.numpy()), device_of(scorer)):
            found.append(_explain(scorer, x, kinds, size))
            done += len(x)
            progress("explaining", done, source.total, "")
    return Explanation(names, {name: np.concatenate([part[name] for part in found]) for name in found[0]})


def _micro_batches(images: Images, device: torch.device) -> Iterator[Tensor]:
    """Images (B, C, H, W) in [0, 1] on the device."""
    for start in range(0, len(images), MICRO_BATCH):
        yield batch(images, np.arange(start, min(start + MICRO_BATCH, len(images))), device)


def _explain(scorer: Scorer, x: Tensor, kinds: Sequence[str], patch: int) -> dict[str, NDArray[np.float32]]:
    """Maps (B, H, W) by name of images (B, C, H, W)."""
    made = {name: values for kind in kinds for name, values in KINDS[kind].make(scorer, x, patch).items()}
    return {name: values.to(torch.float32).cpu().numpy() for name, values in made.items()}
