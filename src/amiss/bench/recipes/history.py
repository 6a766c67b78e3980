"""HistoryAD (Chatillon and Ballester 2020): Table 1, Figures 1 and 5 to 9."""

from __future__ import annotations

from dataclasses import replace

from amiss.bench.recipe import Column, Group, Line, Recipe, Source, auroc
from amiss.bench.recipes import budgets
from amiss.bench.recipes.budgets import Budgets
from amiss.bench.recipes.parts import AUROC, DIGITS, baselines, classes, line, mean_score, metric
from amiss.methods.history_ad import Averaged, HistoryAD
from amiss.protocols.conditions import NoiseLevels
from amiss.protocols.one_anomalous import OneAnomalous
from amiss.protocols.out_of_distribution import OutOfDistribution

OUT = "AUPRC; anomaly is the positive class"
IN = "AUPRC; normal is the positive class"
SCORES = "mean score; the paper has normal images near -1 and anomalies near 1"
KEPT = (1, 5, 20, 50)
SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.5)

SVHN = OutOfDistribution("svhn", ("cifar-10", "celeba", "tiny-imagenet"), None)
FAR = (("CIFAR-10", "cifar-10"), ("CelebA", "celeba"), ("Tiny ImageNet", "tiny-imagenet"))
MNIST = OutOfDistribution("mnist", ("kmnist", "omniglot"), None)
NEAR = (("KMNIST", "kmnist"), ("Omniglot", "omniglot"))


def recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the paper."""
    return table_1(), figure_1(), figure_5(), figure_6(), figure_7(), figure_8(), figure_9()


def own(label: str = "HistoryAD", printed: str | None = None) -> Line:
    """HistoryAD in experimental case 1."""
    return line(label, budgets.history_ad(), printed=printed, own=True)


def cases() -> tuple[Line, ...]:
    """The paper's three variants."""
    return (
        own(),
        line("HistoryAD, case 2", budgets.history_ad(lambda m: replace(m, spread=3.0)), own=True),
        line("HistoryAD, no training", untrained(), own=True),
    )


def untrained() -> Budgets:
    """The detector as it starts from the average of the critics."""
    return budgets.history_ad(lambda m: replace(m, start=Averaged(), tv_epochs=0, tv_updates=0))


def longer() -> Budgets:
    """The settings of Figure 1 and Table 1: ten epochs instead of five."""
    both = budgets.history_ad()
    assert isinstance(both.published, HistoryAD)
    return Budgets(both.quick, replace(both.published, epochs=10, beta=0.5))


def others() -> tuple[Line, ...]:
    """Methods beside HistoryAD where a whole data set is normal."""
    return line("AMA", budgets.ama()), line("small AMA", budgets.small_ama()), *baselines()


def table_1() -> Recipe:
    """Table 1."""
    columns = tuple(Column(label, (SVHN,), trial, printed=label) for label, trial in FAR)
    source = Source("HistoryAD", "Table 1", "SVHN (normal)", "AUPRC")
    main = line("HistoryAD", longer(), printed="HistoryAD (case 1, n_epochs=10, alpha=1, beta=5)", own=True)
    lines = (main, *others(), base_rate())
    return Recipe(
        "history-t1",
        "HistoryAD, Table 1: SVHN is normal, other data sets are anomalous",
        (
            Group("anomaly positive", lines, columns, metric("image_AUPR_out"), OUT, source, controls=False),
            Group("normal positive", lines[:-1], columns, metric("image_AUPR_in"), IN, source, controls=False),
            Group("AUROC", lines[:-1], columns, auroc, AUROC),
        ),
        note="The paper states neither the positive class nor how many images were tested, so its numbers stand beside "
        "both classes; every official test image is taken. AUPRC depends on the base rate.",
    )


def figure_1() -> Recipe:
    """Figure 1."""
    columns = (
        Column("SVHN", (SVHN,), at=0.0),
        *(Column(label, (SVHN,), trial, at=1.0) for label, trial in FAR),
    )
    lines = (line("HistoryAD", longer(), own=True),)
    return Recipe(
        "history-f1",
        "HistoryAD, Figure 1: scores of several data sets where SVHN is normal",
        (Group("", lines, columns, mean_score, SCORES, better="neither", controls=False),),
        note="The figure shows densities; rows keep means and quantiles.",
    )


def base_rate() -> Line:
    """What AUPRC would be by chance."""
    return replace(line("base rate", budgets.classical("knn")), value=metric("base_rate"))


def figure_5() -> Recipe:
    """Figure 5."""
    columns = tuple(Column(label, (MNIST,), trial) for label, trial in NEAR)
    scores = (
        Column("MNIST", (MNIST,), at=0.0),
        *(Column(label, (MNIST,), trial, at=1.0) for label, trial in NEAR),
    )
    lines = (*cases(), *others())
    return Recipe(
        "history-f5",
        "HistoryAD, Figure 5: MNIST is normal, KMNIST and Omniglot are anomalous",
        (
            Group("AUROC", lines, columns, auroc, AUROC),
            Group("AUPRC", (*lines, base_rate()), columns, metric("image_AUPR_out"), OUT, controls=False),
            Group("mean score", cases(), scores, mean_score, SCORES, better="neither", controls=False),
        ),
        note="The figure shows a histogram for KMNIST only, and prints no number. Every official test image is taken.",
    )


def figure_6() -> Recipe:
    """Figure 6."""
    noise = NoiseLevels("mnist", SIGMAS)
    columns = tuple(Column(f"sigma {sigma:g}", (noise,), f"sigma {sigma:g}", at=1.0) for sigma in SIGMAS)
    clean = Column("clean", (noise,), at=0.0)
    return Recipe(
        "history-f6",
        "HistoryAD, Figure 6: MNIST is normal, the same images with Gaussian noise are anomalous",
        (
            Group("mean score", cases(), (clean, *columns), mean_score, SCORES, better="neither", controls=False),
            Group("AUROC", (*cases(), *others()), columns, auroc, AUROC),
        ),
        note="The figure shows densities, and the text does not say which levels of noise; ours are our own.",
    )


def figure_7() -> Recipe:
    """Figure 7."""
    columns = classes(DIGITS, lambda c: OneAnomalous("mnist", c))
    lines = (*cases(), *baselines())
    return Recipe(
        "history-f7",
        "HistoryAD, Figure 7: one digit is anomalous, nine are normal",
        (
            Group(
                "anomaly positive",
                (*lines, base_rate()),
                columns,
                metric("image_AUPR_out"),
                OUT,
                controls=False,
            ),
            Group("normal positive", lines, columns, metric("image_AUPR_in"), IN, controls=False),
            Group("AUROC", lines, columns, auroc, AUROC),
        ),
        note="The figure's values are not printed, nor is its split or positive class. Here both sides are merged, "
        "80 % of the normal images train, the others and every anomaly are tested, as in EGBAD.",
    )


def figure_8() -> Recipe:
    """Figure 8."""
    return Recipe(
        "history-f8",
        "HistoryAD, Figure 8: scores of images generated between two latent codes",
        note="This figure is a picture of generated images: a trained detector keeps no generator, so no cell is run "
        "for it.",
    )


def figure_9() -> Recipe:
    """Figure 9."""
    protocols = (MNIST,)
    columns = tuple(Column(label, protocols, trial) for label, trial in NEAR)
    lines = tuple(
        line(f"{k} saves", budgets.history_ad(lambda m, k=k: replace(m, saves=k, keep=k)), own=True)  # type: ignore[misc]
        for k in KEPT
    )
    return Recipe(
        "history-f9",
        "HistoryAD, Figure 9: how many states of the training the history is made of",
        (
            Group("AUPRC", lines, columns, metric("image_AUPR_out"), OUT, controls=False),
            Group("AUROC", (*lines, *baselines()), columns, auroc, AUROC),
        ),
        note="The figure's values are not printed, and its axis is saves per epoch. Here k critics per epoch are "
        "averaged, and k states of the generator are kept in all.",
    )
