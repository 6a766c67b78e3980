"""Planted training images: how many are found, and what a refit after the review brings: `results/dirty.jsonl`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from tables.results import Row, provenance, rows, seeds_of

NAME = "dirty"
LABELS = {"knn": "kNN (5)", "knn_20": "kNN (20)", "pca": "PCA", "gradcon": "GradCon"}
TARGET = 0.6
LISTS = {"in_sample": "in-sample", "out_of_fold": "out-of-fold"}


def cells() -> Iterator[tuple[str, list[Row]]]:
    """The runs of each data set and method, and what to call them."""
    every = rows(NAME)
    for dataset, name in dict.fromkeys((str(row["dataset"]), str(row["class"])) for row in every):
        for method, label in LABELS.items():
            found = [r for r in every if (r["dataset"], r["class"], r["method"]) == (dataset, name, method)]
            if found:
                yield f"| {dataset}, {name} | {label}", found


def at(row: Row, *keys: str) -> float:
    """A number by its place in a line of results."""
    value: object = row
    for key in keys:
        assert isinstance(value, dict)
        value = value[key]
    return float(str(value))


def mean(values: Sequence[float], digits: int) -> str:
    """Mean and range."""
    low, high = min(values), max(values)
    return f"{statistics.mean(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def found() -> str:
    """Share of the planted images in the most suspicious tenth."""
    lines = [f"| normal | method | {' | '.join(LISTS.values())} |", "| --- | --- | ---: | ---: |"]
    for label, runs in cells():
        shares = [mean([100 * at(row, "found", of) for row in runs], 0) for of in LISTS]
        lines.append(f"{label} | {' % | '.join(shares)} % |")
    used = rows(NAME)
    if not used:
        return "No results are committed yet."
    first = used[0]
    text = (
        f"Share of {first['planted']} planted images among the tenth of {first['images']} training images that is most "
        f"suspicious: mean and range over seeds {seeds_of(used)}. Out-of-fold: {first['folds']} folds. Target: "
        f"{100 * TARGET:.0f} % by at least one method and list; {'; '.join(reached())}. "
        f"{provenance(used, NAME)}"
    )
    return "\n".join([*lines, "", text])


def reached() -> list[str]:
    """Which methods reach the target on which data set, by the mean over seeds."""
    best: dict[str, list[str]] = {}
    for label, runs in cells():
        normal, method = (word.strip() for word in label.strip("| ").split("|"))
        means = {name: statistics.mean(at(row, "found", of) for row in runs) for of, name in LISTS.items()}
        best.setdefault(normal, []).extend(f"{method} ({name})" for name, value in means.items() if value >= TARGET)
    return [f"on {normal} it is {'reached by ' + ', '.join(by) if by else 'missed'}" for normal, by in best.items()]


def refitted() -> str:
    """AUROC and detected anomalies before the review, after it, and without any planted image."""
    states = {"before": ("before",), **{f"after, {v}": ("after", k) for k, v in LISTS.items()}, "clean": ("clean",)}
    head = ["normal", "method", *(f"AUROC {s}" for s in states), "detected before", "detected after, out-of-fold"]
    lines = [f"| {' | '.join(head)} |", f"| --- | --- | {' | '.join(['---:'] * (len(head) - 2))} |"]
    better: list[str] = []
    for label, runs in cells():
        aurocs = [mean([at(row, *keys, "auroc") for row in runs], 3) for keys in states.values()]
        shares = [mean([100 * at(row, *states[s], "detected") for row in runs], 0) for s in list(states)[:3:2]]
        lines.append(f"{label} | {' | '.join(aurocs)} | {' % | '.join(shares)} % |")
    used = rows(NAME)
    if not used:
        return "No results are committed yet."
    for of, name in LISTS.items():
        for what in ("auroc", "detected"):
            up = sum(at(row, "after", of, what) > at(row, "before", what) for row in used)
            better.append(f"{'AUROC' if what == 'auroc' else 'share detected'} {up} of {len(used)} ({name} list)")
    alarms = {s: mean([100 * at(row, *keys, "false_alarms") for row in used], 1) for s, keys in states.items()}
    text = (
        f"Balanced test sets, mean and range over seeds {seeds_of(used)}; a detector flags at a promised 5 % of false "
        f"alarms. Flagged of normal test images: {', '.join(f'{s} {a} %' for s, a in alarms.items())}. Runs that rose: "
        f"{', '.join(better)}. Clean: the same fit without the planted images. {provenance(used, NAME)}"
    )
    return "\n".join([*lines, "", text])


TABLES = {"dirty_found": (found, ["docs/review.md"]), "dirty_refit": (refitted, ["docs/review.md"])}
