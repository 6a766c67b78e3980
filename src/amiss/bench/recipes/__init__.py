"""The papers' tables and figures as recipes, by name."""

from __future__ import annotations

import difflib
from functools import cache

from amiss.bench.recipe import Recipe
from amiss.bench.recipes import ama, arae, committed, gradcon, history, smoke
from amiss.contracts import InputError


@cache
def _all() -> dict[str, Recipe]:
    found = [recipe for module in (gradcon, arae, ama, history, committed, smoke) for recipe in module.recipes()]
    return {recipe.name: recipe for recipe in found}


def names() -> tuple[str, ...]:
    """Names of all recipes, paper by paper, then `committed` and `smoke`."""
    return tuple(_all())


def load(name: str) -> Recipe:
    """Return the recipe of that name; raises InputError, with the nearest names, for others."""
    if name not in _all():
        close = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(names())}"
        raise InputError(f"there is no recipe {name!r}: {hint}")
    return _all()[name]
