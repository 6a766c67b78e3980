"""ARAE's Figures 4 to 7."""

from __future__ import annotations

from amiss.bench.recipe import Column, Group, Recipe
from amiss.bench.recipes import budgets
from amiss.bench.recipes.parts import DIGITS, TEN, baselines, classes, f1, line, metric
from amiss.protocols.merged_share import SHARES, MergedShare
from amiss.protocols.one_vs_rest import Entire


def recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the figures; two of them are pictures."""
    return figure_4(), figure_5(), *pictures()


def figure_4() -> Recipe:
    """Figure 4."""
    columns = tuple(
        Column(f"{100 - 100 * tau:.0f} %", tuple(MergedShare("mnist", (c,), tau=tau) for c in TEN)) for tau in SHARES
    )
    words = (
        "F1; normal is the positive class; the threshold is best on a labelled validation part; mean over ten digits"
    )
    own = line("ARAE", budgets.arae("mnist"), own=True)
    lines = (own, line("DAE", budgets.arae("mnist", "dae")), *baselines())
    return Recipe(
        "arae-f4",
        "ARAE, Figure 4: F1 on MNIST by the share of anomalies in the test",
        (Group("", lines, columns, f1("normal", oracle=False), words, controls=False),),
        seeds=1,
        note="The figure's values are not printed. Split as in the authors' code: 60 % of the normal images train, "
        "20 % validate, 20 % are tested; the text of the paper has 80 % and 20 %.",
    )


def figure_5() -> Recipe:
    """Figure 5."""
    columns = classes(DIGITS, lambda c: Entire("mnist", (c,)))
    own = line("ARAE", budgets.arae("mnist"), own=True, curve=50)
    lines = (own, line("DAE", budgets.arae("mnist", "dae")), *baselines())
    words = "share of normal images that are flagged where 99.5 % of anomalies are"
    return Recipe(
        "arae-f5",
        "ARAE, Figure 5: false alarms at 99.5 % of anomalies found, MNIST",
        (Group("", lines, columns, metric("image_FPR99.5"), words, better="lower", controls=False),),
        note="The figure's values are not printed.",
    )


def pictures() -> tuple[Recipe, ...]:
    """Figures 6 and 7, which hold no numbers."""
    note = "This figure is a picture and holds no numbers: no cell is run for it. It comes with the explanations."
    return (
        Recipe("arae-f6", "ARAE, Figure 6: reconstructions and saliency maps of ARAE and DAE", note=note),
        Recipe("arae-f7", "ARAE, Figure 7: local minima of ARAE's and DAE's reconstruction error", note=note),
    )
