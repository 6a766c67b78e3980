"""Result rows that look like those of real cells, with numbers that only the cell's key decides."""

from __future__ import annotations

import numpy as np

from amiss import catalog
from amiss.bench.cell import Cell, to_json
from amiss.bench.results import Results, Row
from amiss.bench.run import MULTIPLES, QUANTILES

PARTS = ("recon", "latent", "grad", "grad.1", "grad.2", "grad.3", "grad.4", "R", "A")
CONTROLS = ("total variation", "total variation, two-sided", "mean brightness", "mean brightness, two-sided")


def row(cell: Cell, auroc: float | None = None, trials: tuple[str, ...] = ("test",), **changed: object) -> Row:
    """A finished row; auroc: of every trial, drawn by the key if None."""
    rng = np.random.default_rng(int(cell.key, 16))

    def trial() -> Row:
        value = float(rng.uniform(0.5, 1)) if auroc is None else auroc
        rules = [("anomaly", 0.7), ("normal", 0.6), ("anomaly", 0.9), ("normal", 0.8)]
        return {
            "image_AUROC": value,
            "image_AUROC_interval": {"low": value - 0.01, "high": value + 0.01, "level": 0.95, "resamples": 1000},
            "image_AUPR_in": 1 - value,
            "image_AUPR_out": value,
            "image_FPR99.5": 1 - value,
            "image_F1": [{"value": f, "positive": p, "threshold": {"value": 0, "rule": "r"}} for p, f in rules],
            "terms_auroc": {name: float(rng.uniform(0.5, 1)) for name in PARTS},
            "mean_score": [-1.0, 1.0],
            "normal": 100,
            "anomalous": 100,
            "base_rate": 0.5,
        }

    sides = [[float(f"{v:.5g}") for v in np.linspace(a, a + 1, QUANTILES)] for a in (0.0, 0.5)]
    made: Row = {
        "key": cell.key,
        "cell": to_json(cell),
        "method": catalog.name_of(cell.method),
        "task": "synthetic",
        "trials": {name: trial() for name in trials},
        "controls": {name: {control: 0.4 + 0.1 * i for i, control in enumerate(CONTROLS)} for name in trials},
        "quantiles": {name: sides for name in PARTS},
        "reweighted": {"part": "grad", "weight": 0.12, "auroc": {str(m): 0.6 + m / 100 for m in MULTIPLES}},
        "attacked": [{"eps": eps, "auroc": 0.9 - eps, "raised": 1.0} for eps in cell.attack],
        "selection": "last epoch",
        "marks": [],
        "code": "0123456789ab",
        "versions": {"torch": "2.13.0"},
        "device": "cpu (x86_64)",
        "threads": 1,
        "finished": "2026-01-01T00:00:00+00:00",
        "processor_seconds": 10.0,
    }
    return {**made, **changed}  # type: ignore[dict-item]


def results(*rows: Row) -> Results:
    """Results of rows."""
    return Results({str(made["key"]): made for made in rows})
