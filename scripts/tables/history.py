"""HistoryAD on KMNIST, noise and a left-out digit: `results/history_short.jsonl`."""

from __future__ import annotations

import statistics

from tables.results import Row, provenance, rows, seeds_of, spread, value

NAME = "history_short"
LABELS = {
    "history_ad": "HistoryAD",
    "history_ad_init": "HistoryAD, no training",
    "knn": "kNN (5) on raw pixels",
    "pca": "PCA on raw pixels",
}
SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def of(method: str, digit: int) -> list[Row]:
    return [row for row in rows(NAME) if row["method"] == method and row["class"] == digit]


def other(row: Row, test: str) -> float:
    others = row["others"]
    assert isinstance(others, dict)
    return float(str(others[test]["image_AUROC"]))


def history_figures() -> str:
    """AUROC against KMNIST, against noise, and of the digit that is left out; then the mean score by sigma."""
    heads = ["KMNIST", "noise 0.05", "noise 0.1", "noise 0.2", "digit 8 left out"]
    lines = [f"| MNIST is normal | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for method, label in LABELS.items():
        clean, digit = of(method, -1), of(method, 8)
        cells = [spread([value(row, "score") for row in clean])]
        cells += [spread([other(row, f"noise {sigma}") for row in clean]) for sigma in (0.05, 0.1, 0.2)]
        cells.append(spread([value(row, "score") for row in digit]))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    used = rows(NAME)
    if not used:
        return "\n".join([*lines, "", "No results are committed yet."])
    scored = of("history_ad", -1)
    means = [f"unseen normal {mean_score(scored, None):.2f}"]
    means += [f"sigma {sigma:g}: {mean_score(scored, f'noise {sigma}'):.2f}" for sigma in SIGMAS]
    means.append(f"KMNIST {mean_score(scored, 'kmnist'):.2f}")
    text = (
        f"AUROC, mean and range over seeds {seeds_of(used)}, which set the generator's weights, the draw of 10,000 "
        f"training digits and everything else. {provenance(used, NAME)}"
    )
    return "\n".join([*lines, "", text, "", f"Mean score of HistoryAD (Fig. 6): {', '.join(means)}."])


def mean_score(found: list[Row], test: str | None) -> float:
    """Mean over seeds of the mean score of a kind of test image."""
    if test is None:
        return statistics.mean(float(str(row["mean_score_normal"])) for row in found)
    scores = [row["mean_score"] for row in found]
    return statistics.mean(float(str(means[test])) for means in scores if isinstance(means, dict))


TABLES = {"history_figures": (history_figures, ["docs/methods/history_ad.md"])}
