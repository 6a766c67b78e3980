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
from amiss.contracts import Method, Scorer
from amiss.data.sets import load
from amiss.engine.progress import Reporter
from amiss.evaluation.robustness import attacked_auroc
from amiss.methods.council import Council
from amiss.protocols.one_vs_rest import entire
from amiss.protocols.task import Task
from amiss.scores.council import CouncilScorer
from cells import ROOT, Cell, Row, done, held_apart, measured, metrics, work

OUT = ROOT / "results" / "papers_short.jsonl"
SEEDS = range(3)
CLASSES = [("mnist", 8), ("fashion-mnist", 6)]
ATTACKED = ("ae", "dae", "arae", "gradcon", "gradcon_arae")
EPS = (0.0, 0.05, 0.1)
METHODS = (
    *("knn", "pca", "ae", "dae", "arae", "council", "gradcon", "ama", "history_ad", "gradcon_arae"),
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


def attacked(scorer: Scorer, task: Task, seed: int) -> list[dict[str, float]]:
    """AUROC by epsilon where the score of the normal test images is attacked."""
    rows = attacked_auroc(scorer, task.test, task.labels, EPS, seed=seed)
    return [{"eps": found.eps, "auroc": found.auroc} for found in rows]


def run(cell: Cell, workdir: Path, reporter: Reporter) -> list[Row]:
    """Fit and measure a cell; a council's first member gives its own cell's row too, from the same fit."""
    dataset, normal, name, seed = str(cell[0]), int(cell[1]), str(cell[2]), int(cell[3])
    task = entire(load(dataset, "train"), load(dataset, "test"), normal)
    train, held_out = held_apart(task.train, seed)
    method, tests = settings(name, dataset), {"test": (task.test, task.labels)}
    row, fitted = measured(method, train, held_out, tests, seed, workdir, reporter)
    scorers, rows = {name: fitted.scorer}, {name: row}
    if isinstance(method, Council) and isinstance(fitted.scorer, CouncilScorer):
        first, scorer = catalog.name_of(method.members[0]), fitted.scorer.members[0]
        assert isinstance(scorer, Scorer)
        scorers[first] = scorer
        fitted_in = {"settings": catalog.to_settings(method.members[0]), "fitted_in": name}
        rows[first] = {**row, **metrics(scorer, tests, seed), **fitted_in}
    known = {"dataset": dataset, "class": normal, "seed": seed, "protocol": task.name}
    found = []
    for method_name, line in rows.items():
        here = (dataset, normal, method_name, seed)
        if dataset == "mnist" and method_name in ATTACKED:  # Table 5 of ARAE: class 8 of MNIST
            line = {**line, "attacked": attacked(scorers[method_name], task, seed)}
        if method_name == name or here not in done(OUT):
            found.append({**known, "cell": here, "method": method_name, **line})
    return found


if __name__ == "__main__":
    work(__doc__ or "", cells(), run, OUT)
