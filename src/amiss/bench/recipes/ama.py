"""AMA (Somepalli et al., UAI 2021): Tables 1 and 2."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from amiss.bench.recipe import Column, Group, Line, Recipe, Source, auroc
from amiss.bench.recipes import budgets
from amiss.bench.recipes.parts import AUROC, DIGITS, OBJECTS, baselines, classes, line
from amiss.protocols.ama_one_class import AmaOneClass
from amiss.protocols.out_of_distribution import OutOfDistribution

SELECTED = 50
"""Labelled anomalies by which the paper chooses its epoch."""

PAIRS = (
    ("fashion-mnist", "mnist", "FashionMNIST->MNIST"),
    ("fashion-mnist", "omniglot", "FashionMNIST->Omniglot"),
    ("cifar-10", "svhn", "CIFAR-10->SVHN"),
    ("cifar-10", "tiny-imagenet", "CIFAR-10->Imagenet(resized)"),
    ("cifar-10", "cifar-100", "CIFAR-10->CIFAR-100"),
    ("svhn", "cifar-10", "SVHN->CIFAR-10"),
    ("svhn", "tiny-imagenet", "SVHN->Imagenet(resized)"),
    ("svhn", "cifar-100", "SVHN->CIFAR-100"),
)
PRINTED_OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

BLIND = "the last step counts"
CHOSEN = f"the epoch is chosen by the AUROC of labelled validation images, {SELECTED} anomalies among them"


def recipes() -> tuple[Recipe, ...]:
    """Return the recipes of the paper."""
    return table_1(), table_2()


def ablations() -> tuple[Line, ...]:
    """AMA, and AMA without each of its parts."""
    whole = budgets.ama()
    return (
        line("AMA", whole, printed="AMA", own=True),
        line(
            "without mirrored pairs",
            budgets.ama(lambda m: replace(m, mirrored=False)),
            printed="AMA w/o Mirrored Wass. Loss",
            own=True,
        ),
        line(
            "without simplex",
            budgets.ama(lambda m: replace(m, lambda_inter=0.0)),
            printed="AMA w/o Simplex Interpolation",
            own=True,
        ),
        line(
            "without atypical selection",
            budgets.ama(lambda m: replace(m, lambda_neg=0.0)),
            printed="AMA w/o Atypical selection",
            own=True,
        ),
        line("without A-score", whole, "R", printed="AMA w/o new anomaly scoring", own=True),
    )


def table_1() -> Recipe:
    """Table 1."""
    source = Source("AMA", "Table 1", "OOD (normal->anomaly)", "AUROC")
    blind, chosen = [], []
    for normal, other, printed in PAIRS:
        label = f"{normal} / {other}"
        choosing = OutOfDistribution(normal, (other,), selection_anomalies=SELECTED)
        blind.append(Column(label, (OutOfDistribution(normal, (other,)),), printed=printed))
        chosen.append(Column(label, (choosing,), printed=printed))
    lines = (*ablations(), line("small AMA", budgets.small_ama()), *baselines())
    return Recipe(
        "ama-t1",
        "AMA, Table 1: one data set is normal, another is anomalous",
        (
            Group(BLIND, lines, tuple(blind), auroc, f"{AUROC}; {BLIND}", source),
            Group("epoch chosen by anomalies", _chosen(), tuple(chosen), auroc, f"{AUROC}; {CHOSEN}", source),
        ),
        note="The paper chooses the epoch by about 50 labelled anomalies; so does the second part, and only there. "
        "Anomalies in the test are a fifth of the normal images, as in the text; the authors' code has a tenth. Tiny "
        "ImageNet stands in for ImageNet.",
    )


def _chosen() -> tuple[Line, ...]:
    return (line("AMA, epoch chosen", budgets.ama(), printed="AMA", own=True, select=True),)


def table_2() -> Recipe:
    """Table 2."""
    groups = []
    for label, dataset, names, printed in (
        ("MNIST", "mnist", DIGITS, DIGITS),
        ("CIFAR-10", "cifar-10", OBJECTS, PRINTED_OBJECTS),
    ):
        source = Source("AMA", "Table 2", label, "AUROC")
        lines = (
            line("AMA", budgets.ama(), printed="AMA", own=True),
            line("AMA (R-score)", budgets.ama(), "R"),
            line("small AMA", budgets.small_ama()),
            *baselines(),
        )
        blind = classes(names, partial(AmaOneClass, dataset), printed=printed, mean_printed="Average")
        choosing = partial(AmaOneClass, dataset, selection_anomalies=SELECTED)
        selecting = classes(names, choosing, printed=printed, mean_printed="Average")
        groups.append(Group(f"{label}, {BLIND}", lines, blind, auroc, f"{AUROC}; {BLIND}", source))
        groups.append(
            Group(f"{label}, epoch chosen by anomalies", _chosen(), selecting, auroc, f"{AUROC}; {CHOSEN}", source)
        )
    return Recipe(
        "ama-t2",
        "AMA, Table 2: one class of MNIST or CIFAR-10 is normal, every official test image is scored",
        tuple(groups),
        note="The paper chooses the epoch by about 50 labelled anomalies; so do the second parts, and only there.",
    )
