"""A recipe of minutes: every method of the catalogue once, and every protocol once, at tiny budgets."""

from __future__ import annotations

from dataclasses import replace

from amiss import catalog
from amiss.bench.recipe import Column, Group, Line, Recipe, auroc
from amiss.bench.recipes.parts import AUROC
from amiss.bench.sources import DEMO
from amiss.contracts import Method
from amiss.methods.ama import AMA
from amiss.methods.arae import ARAE
from amiss.methods.averaged import Averaged
from amiss.methods.council import Council
from amiss.methods.ensemble import Ensemble
from amiss.methods.gradcon import GradCon
from amiss.methods.gradcon_arae import GradConARAE
from amiss.methods.history_ad import HistoryAD
from amiss.methods.typical import Typical
from amiss.protocols.ama_one_class import AmaOneClass
from amiss.protocols.conditions import Conditions, NoiseLevels
from amiss.protocols.cure_tsr import CureTsr
from amiss.protocols.folds import FiveFolds
from amiss.protocols.medical import Medical
from amiss.protocols.merged_share import MergedShare
from amiss.protocols.one_anomalous import OneAnomalous
from amiss.protocols.one_vs_rest import Balanced, Entire
from amiss.protocols.out_of_distribution import OutOfDistribution
from amiss.protocols.task import Protocol

SHORT = GradCon(epochs=1)

TINY: dict[str, Method] = {
    "ama": AMA(updates=0),
    "arae": ARAE(clean_epochs=1, epochs=1, least_steps=60),
    "averaged": Averaged(replace(SHORT, epochs=2)),
    "council": replace(Council(), members=(SHORT, catalog.load("knn"))),
    "ensemble": Ensemble(SHORT, runs=2),
    "gradcon": SHORT,
    "gradcon_arae": GradConARAE(clean_epochs=1, epochs=1),
    "history_ad": HistoryAD(epochs=1, updates=0, tv_updates=0),
    "typical": Typical(SHORT),
    **{name: catalog.load(name) for name in ("kde", "knn", "ocsvm", "pca")},
}
"""Each method of the catalogue with a training of seconds."""

PROTOCOLS: tuple[Protocol, ...] = (
    Balanced(DEMO, 0),
    Entire(DEMO, (0,)),
    AmaOneClass(DEMO, 0),
    OneAnomalous(DEMO, 1, "official"),
    FiveFolds("fashion-mnist", 0),
    MergedShare("coil-20", (0,), train_share=0.8, validation_share=0.0, size=32),
    Medical("head-ct", size=32),
    OutOfDistribution(DEMO, ("mnist",)),
    CureTsr(limit=100),
    Conditions(DEMO, (0,), conditions=("gaussian blur",), levels=(1, 5), limit=100),
    NoiseLevels(DEMO, sigmas=(0.2,), test_limit=100),
)
"""Each protocol once, on the bundled images where they suffice."""


def recipes() -> tuple[Recipe, ...]:
    """Return the one recipe."""
    methods = tuple(Line(name, method, method, own=False) for name, method in TINY.items())
    knn = (Line("kNN", TINY["knn"], TINY["knn"]),)
    columns = tuple(Column(type(protocol).__name__, (protocol,)) for protocol in PROTOCOLS)
    words = f"{AUROC}; budgets so short that the numbers say nothing"
    return (
        Recipe(
            "smoke",
            "Every method and every protocol once, in minutes: whether the benchmark works at all",
            (
                Group("methods", methods, (Column("T-shirts", (Entire(DEMO, (0,)),)),), auroc, words),
                Group("protocols", knn, columns, auroc, words, controls=False),
            ),
            seeds=1,
            note="Protocols of data sets that are not there are left out.",
        ),
    )
