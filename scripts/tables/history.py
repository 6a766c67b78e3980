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


INSIDE, BEYOND = "data inside the history's range", "mass beyond the bound"


def history_toy() -> str:
    """The one-dimensional toy in both readings of beta's unit."""
    lines = ["| seed | unit | D_TV at -4, 0, 4 | data inside | mass beyond |", "| --- | --- | --- | --- | --- |"]
    found = sorted(rows("history_toy"), key=lambda row: str(row["unit"]), reverse=True)
    for row in found:
        at = ", ".join(f"{float(str(row[f'D_TV at {x}'])):.2f}" for x in (-4, 0, 4))
        inside, beyond = (float(str(row[name])) for name in (INSIDE, BEYOND))
        lines.append(f"| {row['seed']} | {row['unit']} | {at} | {inside:.3f} | {beyond:.3f} |")
    if not found:
        return "\n".join([*lines, "", "No results are committed yet."])
    return "\n".join([*lines, "", "File: `results/history_toy.jsonl`, made by `benchmarks/history_toy.py`."])


def history_few() -> str:
    """How many kept states each batch of the history comes from."""
    lines = ["| states a batch | AUROC | loss of Eq. 10 | seconds of D_TV |", "| --- | --- | --- | --- |"]
    found = rows("history_few")
    for few in sorted({int(str(row["few"])) for row in found}):
        own = [row for row in found if row["few"] == few]
        losses = ", ".join(f"{float(str(row['loss'])):.2f}" for row in own)
        cost = statistics.mean(float(str(row["tv_seconds"])) for row in own)
        lines.append(f"| {few} | {spread([value(r, 'score') for r in own])} | {losses} | {cost:.0f} |")
    if not found:
        return "\n".join([*lines, "", "No results are committed yet."])
    text = (
        f"MNIST 8 normal, the entire official test set, experimental case 2 at width 1/32, 900 critic steps, then "
        f"1,000 of D_TV from random weights. AUROC as mean and range, losses over the last epoch, over seeds "
        f"{seeds_of(found)}; seconds of one thread of a busy machine. {provenance(found, 'history_few')}"
    )
    return "\n".join([*lines, "", text])


TABLES = {
    "history_figures": (history_figures, ["docs/methods/history_ad.md"]),
    "history_toy": (history_toy, ["docs/adr/0007-time-unit-of-the-history.md"]),
    "history_few": (history_few, ["docs/adr/0008-few-snapshots-a-step.md"]),
}
