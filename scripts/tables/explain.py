"""The pointing game and the speed of occlusion: `results/pointing.jsonl` and `results/occlusion_ratio.jsonl`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tables.results import Row, number, provenance, rows

MAPS = ("residual", "occlusion", "substitution", "gradient")
TITLES = {"fashion-mnist": "Fashion-MNIST, T-shirts", "brain-mri": "Brain MRI"}
PAGE = "docs/explain.md"


def first(found: Sequence[Row], name: str) -> list[str]:
    """Values of a field in the order in which they first occur."""
    return list(dict.fromkeys(str(row[name]) for row in found))


def pointing() -> str:
    """Share of maxima within the defect by data set, method and map, and by kind of defect."""
    found = rows("pointing")
    if not found:
        return "No results are committed yet."
    lines = [f"| hits, by method | chance | {' | '.join(MAPS)} |", f"| --- | --- |{' --- |' * len(MAPS)}"]
    lines += [line(found, dataset, "method", name) for dataset in TITLES for name in first(found, "method")]
    lines += ["", f"| hits, by defect | chance | {' | '.join(MAPS)} |", f"| --- | --- |{' --- |' * len(MAPS)}"]
    lines += [line(found, dataset, "defect", name) for dataset in TITLES for name in first(found, "defect")]
    below = [row for row in found if number(row, "hits") <= number(row, "chance") + 2 * number(row, "standard_error")]
    named = sorted({f"{row['map']} of {row['defect']} defects" for row in below})
    counts = " and ".join(f"{of(found, dataset)[0]['images']} of {title}" for dataset, title in TITLES.items())
    text = (
        f"Each number is a mean over four kinds of defect or four methods, on {counts} for each kind. "
        f"Of {len(found)} single combinations, {len(found) - len(below)} are above chance by more than two standard "
        f"errors; the others are {', '.join(named) or 'none'}. Networks had {epochs(found)} epochs. "
        f"{provenance(found, 'pointing')}"
    )
    return "\n".join([*lines, "", text])


def of(found: Sequence[Row], dataset: str) -> list[Row]:
    return [row for row in found if row["dataset"] == dataset]


def epochs(found: Sequence[Row]) -> str:
    return " and ".join(first([row for row in found if row["epochs"]], "epochs"))


def line(found: Sequence[Row], dataset: str, field: str, name: str) -> str:
    """One line of a table: the mean over the rows of that name, for each map."""
    chosen = [row for row in of(found, dataset) if row[field] == name]
    chance = statistics.mean(number(row, "chance") for row in chosen)
    cells = [statistics.mean(number(row, "hits") for row in chosen if row["map"] == kind) for kind in MAPS]
    return f"| {TITLES[dataset]}, {name} | {chance:.2f} | {' | '.join(f'{cell:.2f}' for cell in cells)} |"


def ratios() -> str:
    """Times that the batched sweep is faster than one position at a time, with and without what it skips."""
    found = rows("occlusion_ratio")
    if not found:
        return "No results are committed yet."
    last = found[-1]["ratios"]
    assert isinstance(last, list)
    by_name = {row["what"]: float(row["ratio"]) for row in last}
    skipless = ", none skipped"
    whole = [name for name in by_name if not name.endswith(skipless)]
    lines = ["| image, method | times faster | by batches alone |", "| --- | --- | --- |"]
    lines += [f"| {name} | {by_name[name]:.1f} | {by_name[name + skipless]:.1f} |" for name in whole]
    met = sum(by_name[name] >= 20 for name in whole)
    alone = sum(by_name[name + skipless] >= 20 for name in whole)
    load = found[-1]["load"]
    assert isinstance(load, list)
    text = (
        f"Goal: 20. Met by {met} of {len(whole)} with what is skipped, by {alone} without. Medians of rounds that take "
        f"turns, one thread of a CPU, the machine's load {load[0]:.1f} before and {load[1]:.1f} after. File: "
        f"`results/occlusion_ratio.jsonl`, by `benchmarks/occlusion_ratio.py`."
    )
    return "\n".join([*lines, "", text])


TABLES = {"explain_pointing": (pointing, [PAGE]), "explain_ratios": (ratios, [PAGE])}
