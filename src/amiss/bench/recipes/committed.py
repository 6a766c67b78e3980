"""The cells whose results are committed, in the order in which they are run: the cheapest and most telling first."""

from __future__ import annotations

from collections.abc import Sequence

from amiss.bench.cell import Cell
from amiss.bench.recipe import Recipe
from amiss.bench.recipes import arae, gradcon, gradcon_figures, history


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
    raw = ("kNN", "PCA", "OC-SVM", "KDE")
    t3, t4, t7 = gradcon.table_3(), gradcon.table_4(), gradcon.table_7()
    a1, a2, a3, a4 = arae.table_1(), arae.table_2(), arae.table_3(), arae.table_4()
    a5, a6, h5 = arae.table_5(), arae.table_6(), history.figure_5()
    made, h6 = gradcon_figures.conditions(), history.figure_6()
    coil = ("COIL-20, AUC",)
    every: list[Cell] = []
    for recipe in (t4, a2, t3, t7, a4, h5, made):
        every += part(recipe, raw)
    every += part(a1, raw, seeds=range(5)) + part(a3, raw, coil, seeds=range(5))
    every += part(a5)
    every += part(t4, ("GradCon",))
    every += part(a2, ("ARAE", "DAE"), ("MNIST",))
    every += part(a1, ("ARAE", "GradCon")) + part(a3, ("ARAE",), coil)
    every += part(h5, ("HistoryAD", "AMA", "small AMA", "HistoryAD, no training"))
    every += part(t4, ("CAE", "VAE"))
    every += part(made, ("GradCon", "CAE"))
    every += part(t3, ("GradCon", "CAE", "VAE"))
    every += part(t7, ("GradCon", "CAE", "VAE"))
    every += part(a2, ("ARAE", "DAE"), ("Fashion-MNIST",))
    every += part(a6, ("DAE", "ARAE"), ("two normal digits",))
    every += part(a4, ("ARAE", "DAE"))
    every += part(h6, ("HistoryAD", "kNN", "PCA"))
    every += part(a1, ("DAE",)) + part(a3, ("DAE", "GradCon"), coil)
    every += part(t3, ("GradCon", "CAE"), seeds=(1, 2))
    every += part(a1, ("ARAE", "GradCon"), seeds=(1, 2, 3, 4)) + part(a3, ("ARAE",), coil, seeds=(1, 2, 3, 4))
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
