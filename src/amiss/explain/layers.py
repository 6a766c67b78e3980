"""What each layer of a network adds to the score: of GradCon, the gradient loss taken apart by decoder layer."""

from __future__ import annotations

import torch
from torch import Tensor

from amiss.contracts import InputError, Scorer
from amiss.explain.occlusion import occlusions
from amiss.explain.parts import batches, outermost
from amiss.scores.abilities import Layered, has_layers


def layers(scorer: Scorer, x: Tensor) -> dict[str, Tensor]:
    """Contributions (B,) to the score of images (B, C, H, W), layer.1, next to the code, to the last; positive raises.

    For GradCon they and the reconstruction error add up to the score. A scorer made of others gives the mean over
    those that have layers, each in its own units.
    Raises InputError for a scorer without such terms.
    """
    parts = _required(scorer)
    with torch.no_grad():
        found = [_contributions(parts, y) for y in batches(x)]
    return {name: torch.cat([each[name] for each in found]) for name in found[0]}


def layer_maps(
    scorer: Scorer, x: Tensor, patch: int = 1, *, stride: int | None = None, fill: float | Tensor = 0.0
) -> dict[str, Tensor]:
    """Occlusion maps (B, H, W) of each layer's contribution, by name; sign, patches and errors as in `occlusion`."""
    parts = _required(scorer)
    return occlusions(lambda y: _contributions(parts, y), x, patch, stride=stride, fill=fill)


def _required(scorer: Scorer) -> list[Layered]:
    parts = outermost(scorer, has_layers)
    if not parts:
        raise InputError(f"{type(scorer).__name__} has no layer maps: no part of its score belongs to one layer")
    return parts


def _contributions(parts: list[Layered], x: Tensor) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for part in parts:
        terms = part.terms(x)
        for i, (term, weight) in enumerate(part.layer_weights.items(), start=1):
            total[f"layer.{i}"] = total.get(f"layer.{i}", torch.zeros_like(terms[term])) + weight * terms[term]
    return {name: value / len(parts) for name, value in total.items()}
