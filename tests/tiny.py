"""Methods as small as the conformance suite can afford: the same parts, in smaller sizes and amounts."""

from __future__ import annotations

import dataclasses

from amiss.contracts import Method

TABLE: dict[str, float | int] = {
    "width": 1 / 64,  # share of the published channels
    "floor": 4,  # fewest channels of a layer
    "batch_size": 16,  # smaller batches make more steps of the few images
    "keep": 4,  # snapshots of a generator
    "d": 8,  # width of the latent code
    "breadth": 1 / 4,  # share of an MLP's published units; narrower sigmoids hardly learn in so few steps
    "runs": 2,  # of the method that an ensemble averages
    "steps": 3,  # of gradient ascent
    "eps": 0.05,  # radius of an attack; under wider ones sigmoids need more steps than these to leave the mean image
    "n_critic": 1,  # steps of a critic for each of its generator
    "angles": 3,  # rotations tried, each with every translation
}
"""Largest sizes and amounts by field name; nothing here changes which parts a method is made of."""

LEAST: dict[str, float] = {
    "lr": 1e-3,  # narrow networks learn little in so few smaller steps
}
"""Smallest amounts by field name."""


def tiny(part: object) -> Method:
    """The method with every size in it, at any depth, brought down."""
    made = _tiny(part)
    assert isinstance(made, Method)
    return made


def _tiny(part: object) -> object:
    if isinstance(part, tuple):
        return tuple(_tiny(inner) for inner in part)
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, object] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name in TABLE and isinstance(value, int | float) and not isinstance(value, bool):
            changes[field.name] = min(value, TABLE[field.name])
        elif field.name in LEAST and isinstance(value, int | float):
            changes[field.name] = max(value, LEAST[field.name])
        else:
            changes[field.name] = _tiny(value)
    return dataclasses.replace(part, **changes)
