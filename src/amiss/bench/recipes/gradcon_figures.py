"""GradCon's Figures 5 to 7, and Table 6, which needs no cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from amiss.bench import printed
from amiss.bench.recipe import Column, Group, Line, Recipe, Source, auroc
from amiss.bench.recipes import budgets
from amiss.bench.recipes.overlap import overlap, overlap_difference
from amiss.bench.recipes.parts import TEN, baselines, line, over_levels, reweighted
from amiss.bench.results import Row
from amiss.bench.run import MULTIPLES
from amiss.contracts import ImageSpec
from amiss.protocols.conditions import Conditions
from amiss.protocols.cure_tsr import GRADCON as CONDITIONS
from amiss.protocols.cure_tsr import CureTsr
from amiss.protocols.one_vs_rest import Balanced

LEVELS = (1, 2, 3, 4, 5)
CARS = 1
"""Class of CIFAR-10."""

ALPHAS = 4
"""Beta of the score as a multiple of alpha."""

OVERLAP = "percentage of the test images of all ten classes that lie where the two histograms overlap, 100 bins"


def recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the figures and of Table 6."""
    digits = tuple(Balanced("mnist", c) for c in TEN)
    objects = tuple(Balanced("cifar-10", c, 28) for c in TEN)
    fig_5 = ("Fig 5 (text A.2)", "MNIST", "histogram overlap: gradient loss minus 2nd smallest")
    fig_6 = ("Fig 6 (text A.2)", "CIFAR-10", "histogram overlap: gradient loss minus recon (2nd smallest)")
    return (
        table_6(),
        figure_4(),
        conditions(),
        histograms("gradcon-f5", "GradCon, Figure 5", "mnist", digits, Source("GradCon", *fig_5)),
        histograms("gradcon-f6", "GradCon, Figure 6", "cifar-10", objects, Source("GradCon", *fig_6)),
        figure_7(objects),
    )


def table_6() -> Recipe:
    """Table 6."""
    columns = (
        Column("1 channel", (), printed="params", at=1.0),
        Column("3 channels", (), at=3.0),
    )
    lines = (
        line("GradCon", budgets.gradcon(), printed="GradCon", own=True),
        line("VAE", budgets.vae()),
        line("ARAE", budgets.arae("mnist")),
        line("AMA", budgets.ama()),
        line("HistoryAD", budgets.history_ad()),
    )
    source = Source("GradCon", "Table 6", "-", "# model parameters")
    words = "parameters of the networks that a 28x28 image is scored with"
    return Recipe(
        "gradcon-t6",
        "GradCon, Table 6: numbers of parameters",
        (Group("", lines, columns, parameters, words, source, better="lower", decimals=0, controls=False),),
        computed=True,
        note="Counted from the networks at the quick budget; nothing is run. GradCon's reference gradient, one more "
        "copy of the decoder's weights, is not counted, as in the paper.",
    )


def parameters(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Number of parameters that score an image with the column's channels."""
    spec = ImageSpec(int(column.at or 1), 28, 28)
    scorer = line.quick.learner(spec).scorer()
    named = scorer.named_parameters()
    return float(sum(parameter.numel() for name, parameter in named if not name.startswith("reference")))


def figure_4() -> Recipe:
    """Figure 4."""
    cae, grad = budgets.cae("cure-tsr"), budgets.gradcon("cure-tsr")
    recon = line("CAE (recon)", cae, "recon")
    lines = (
        line("CAE+Grad (grad)", grad, "grad", own=True),
        line("CAE+Grad (recon)", grad, "recon"),
        recon,
        *baselines(),
    )
    gain = (replace(line("CAE+Grad", grad, "grad", printed="CAE+Grad / Grad", own=True), less=recon),)
    words = "AUROC; a sign under the condition is the positive class, the same sign without it the negative one"
    groups = []
    for condition in CONDITIONS:
        levels = tuple(Column(str(level), (CureTsr(),), f"{condition} {level}") for level in LEVELS)
        groups.append(Group(condition, lines, levels, auroc, words))
    for condition, what in (("rain", "largest margin"), ("snow", "smallest margin")):
        source = Source(
            "GradCon",
            "Fig 4 (text 5.2)",
            f"CURE-TSR/{condition.capitalize()}",
            "mean AUROC gain Grad(CAE+Grad) - Recon(CAE)",
        )
        column = (Column("gain", (CureTsr(),), condition, printed=what),)
        told = "mean over levels of the AUROC of the gradient loss of CAE+Grad, less that of the CAE's error"
        groups.append(Group(f"gain in {condition}", gain, column, over_levels, told, source, controls=False))
    return Recipe(
        "gradcon-f4",
        "GradCon, Figure 4: traffic signs under eight conditions at five levels, CURE-TSR",
        tuple(groups),
        note="The files of CURE-TSR must be asked for. The paper prints the largest and the smallest gain only.",
    )


def conditions() -> Recipe:
    """Figure 4 again, with conditions that are made instead of CURE-TSR's."""
    made = Conditions("cifar-10", (CARS,), size=28, limit=500)
    grad, cae = budgets.gradcon("cifar-10"), budgets.cae("cifar-10")
    lines = (
        line("CAE+Grad (grad)", grad, "grad", own=True),
        line("CAE+Grad (recon)", grad, "recon"),
        line("GradCon", grad),
        line("CAE (recon)", cae, "recon"),
        *baselines(),
    )
    words = "AUROC; a car under the condition is the positive class, the same car without it the negative one"
    every = tuple(Column(condition, (made,), condition) for condition in made.conditions)
    groups = [
        Group("means over five levels", lines, every, over_levels, words, controls=False),
        *(
            Group(f"level {level}", lines, tuple(_at(column, level) for column in every), auroc, words)
            for level in made.levels
        ),
    ]
    return Recipe(
        "gradcon-conditions",
        "GradCon's conditions at five levels, made on the cars of CIFAR-10",
        tuple(groups),
        seeds=1,
        note="These conditions are ours, by the names of CURE-TSR's, so nothing printed stands beside them. Cars "
        "without a condition train.",
    )


def _at(column: Column, level: int) -> Column:
    return replace(column, trial=f"{column.trial} {level}")


def histograms(name: str, title: str, dataset: str, protocols: tuple[Balanced, ...], source: Source) -> Recipe:
    """Figures 5 and 6."""
    grad = budgets.gradcon(dataset)
    lines = (
        line("CAE (recon)", budgets.cae(dataset), "recon"),
        line("VAE (recon)", budgets.vae(dataset), "recon"),
        line("VAE (latent)", budgets.vae(dataset), "latent"),
        line("CAE+Grad (recon)", grad, "recon"),
        line("CAE+Grad (grad)", grad, "grad"),
    )
    difference = (Column("difference", protocols, printed="difference (percentage points)"),)
    return Recipe(
        name,
        f"{title}: overlap of the histograms on {dataset}, all ten classes pooled",
        (
            Group(
                "overlap",
                lines,
                (Column("overlap, %", protocols),),
                overlap,
                OVERLAP,
                better="lower",
                decimals=1,
                controls=False,
            ),
            Group(
                "gradient loss less reconstruction error",
                (line("CAE+Grad", grad, printed="CAE+Grad", own=True),),
                difference,
                overlap_difference("grad", "recon"),
                "percentage points, both losses of the same autoencoder",
                source,
                better="lower",
                decimals=1,
                controls=False,
            ),
        ),
        seeds=1,
        note="Approximated from 41 quantiles of each side of each class, since rows keep no scores; how many bins the "
        "paper took is not known. For MNIST the paper compares the gradient loss with the second smallest overlap, "
        "without saying whose that is.",
    )


def figure_7(protocols: tuple[Balanced, ...]) -> Recipe:
    """Figure 7."""
    grad = budgets.gradcon("cifar-10")
    own = line("GradCon", grad, printed="GradCon", own=True)
    columns = tuple(Column(f"{ALPHAS * m:g}", protocols, at=m) for m in MULTIPLES)
    smallest = (Column("beta / alpha", protocols, printed="beta/alpha"),)
    source = Source("GradCon", "Fig 7 (text A.3)", "CIFAR-10", "smallest beta/alpha with mean AUROC > 0.657 (OCGAN)")
    return Recipe(
        "gradcon-f7",
        "GradCon, Figure 7: the weight of the gradient loss in the score, CIFAR-10",
        (
            Group(
                "mean AUROC by beta / alpha",
                (own,),
                columns,
                reweighted,
                "AUROC, mean over ten classes; anomaly is the positive class; alpha stays 0.03 in training",
                controls=False,
            ),
            Group(
                "smallest beta / alpha above OCGAN",
                (own,),
                smallest,
                above_ocgan,
                "the smallest of these multiples with a mean AUROC above the printed mean of OCGAN; inf where none is",
                source,
                better="lower",
                decimals=2,
                controls=False,
            ),
        ),
        seeds=1,
    )


def above_ocgan(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Smallest multiple of alpha in the score whose mean AUROC is above that which is printed for OCGAN."""
    bar = printed.find(Source("GradCon", "Table 3", "CIFAR-10", "AUROC"), "OCGAN", "Average")
    if bar is None or bar.value is None:
        return None
    means = {m: reweighted(rows, line, Column("", column.protocols, at=m)) for m in MULTIPLES}
    if any(value is None for value in means.values()):
        return None
    return min((ALPHAS * m for m, value in means.items() if (value or 0.0) > bar.value), default=inf)
