"""The cells whose results are committed, in the order in which they are run: the cheapest and most telling first."""

from __future__ import annotations

from collections.abc import Sequence

from amiss.bench.cell import Cell
from amiss.bench.recipe import Recipe
from amiss.bench.recipes import arae, gradcon


def recipes() -> tuple[Recipe, ...]:
    """Return the one recipe that holds these cells."""
    return (
        Recipe(
            "committed",
            "Every cell whose result is committed, quick budgets, in the order in which to run them",
            also=cells(),
        ),
    )


def cells() -> tuple[Cell, ...]:
    """Return the cells, cheap and telling ones first; a call that is cut off leaves the last ones out."""
    t1, t3, t4 = gradcon.table_1(), gradcon.table_3(), gradcon.table_4()
    a2, a4, a5, a6 = arae.table_2(), arae.table_4(), arae.table_5(), arae.table_6()
    raw = ("kNN", "PCA", "OC-SVM", "KDE")
    every: list[Cell] = []
    for recipe in (t4, a2, t3, a4):
        every += part(recipe, raw)
    every += part(a5)
    every += part(t4, ("GradCon",))
    every += part(a2, ("ARAE", "DAE"), groups=("MNIST",))
    every += part(t4, ("CAE", "VAE"))
    every += part(t3, ("GradCon", "CAE", "VAE"))
    every += part(a2, ("ARAE", "DAE"), groups=("Fashion-MNIST",))
    every += part(a4, ("ARAE", "DAE"))
    every += part(a6, ("DAE", "ARAE"), groups=("two normal digits",))
    every += part(a6, ("AE", *raw), groups=("one normal digit",))
    every += part(t3, ("GradCon", "CAE"), seeds=(1, 2))
    every += part(t1)
    return tuple({cell.key: cell for cell in every}.values())


def part(
    recipe: Recipe, labels: Sequence[str] = (), groups: Sequence[str] = (), seeds: Sequence[int] = (0,)
) -> list[Cell]:
    """Return the quick cells of the lines whose label is named, or stands before a bracket; all where none is."""
    return [
        recipe.cell(line, protocol, seed, "quick")
        for seed in seeds
        for group in recipe.groups
        for line in group.lines
        for column in group.columns
        for protocol in column.protocols
        if (not groups or group.label in groups) and (not labels or line.label.split(" (")[0] in labels)
    ]
