"""The four papers' methods, hybrids and baselines on MNIST 8 and Fashion-MNIST 6, three seeds, at budgets of minutes.

    AMISS_DATA=DIR python benchmarks/papers_short.py [WORD ...] [--part 1/2] [--out results/papers_short.jsonl]

One line of JSON per cell (data set, class, method, seed), resumable. Train on the class's official training images
less a tenth that is held out, test on the entire official test set (protocol 2 of ARAE). Settings were fixed before the
runs. Labels are used for the metric alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from amiss import catalog
from amiss.contracts import Method
from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.protocols.one_vs_rest import entire
from cells import ROOT, Cell, Row, held_apart, measured, work

SEEDS = range(3)
CLASSES = [("mnist", 8), ("fashion-mnist", 6)]
ATTACKED = ("ae", "dae", "arae", "gradcon", "gradcon_arae")
EPS = (0.0, 0.05, 0.1)
METHODS = (
    *("knn", "pca", "ae", "dae", "arae", "gradcon", "ama", "history_ad", "gradcon_arae", "council"),
    *("history_ad_wide", "history_ad_init"),
)


def cells() -> list[Cell]:
    """Data set, normal class, method, seed; every method once before any is run again."""
    return [(*c, name, seed) for seed in SEEDS for name in METHODS for c in CLASSES]


def settings(name: str, dataset: str) -> Method:
    """The method at its default budget; on MNIST the papers attack with eps 0.2, elsewhere with 0.05."""
    method = catalog.load(name)
    if name in ("arae", "gradcon_arae") and dataset == "mnist":
        method = replace(method, adversary=replace(method.adversary, eps=0.2))  # type: ignore[call-arg]
    return method


def run(cell: Cell, workdir: Path, reporter: Reporter) -> Row:
    dataset, normal, name, seed = str(cell[0]), int(cell[1]), str(cell[2]), int(cell[3])
    task = entire(load(dataset, "train"), load(dataset, "test"), normal)
    train, held_out = held_apart(task.train, seed)
    method = settings(name, dataset)
    row, fitted = measured(method, train, held_out, {"test": (task.test, task.labels)}, seed, workdir, reporter)
    if name in ATTACKED and dataset == "mnist":  # Table 5 of ARAE: class 8 of MNIST
        from amiss.evaluation.robustness import attacked_auroc

        from amiss.adversaries.perturbation import Linf

        rows = attacked_auroc(fitted.scorer, task.test, task.labels, EPS, attack=Linf(steps=40), seed=seed)
        row["attacked"] = [{"eps": found.eps, "auroc": found.auroc} for found in rows]
    return {"dataset": dataset, "class": normal, "method": name, "seed": seed, "protocol": task.name, **row}


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, ROOT / "results" / "papers_short.jsonl")
