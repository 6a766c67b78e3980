"""GradCon beside its own parts, the plain autoencoder and two baselines: `results/gradcon_short.jsonl`."""

from __future__ import annotations

import statistics
from collections import defaultdict

from tables.results import Row, rows, value

COLUMNS = [
    ("cae", "recon"),
    ("cae", "grad"),
    ("gradcon", "recon"),
    ("gradcon", "grad"),
    ("gradcon", "score"),
    ("knn", "score"),
    ("pca", "score"),
]
HEADS = ["CAE recon", "CAE grad", "CAE+Grad recon", "CAE+Grad grad", "**GradCon**", "kNN (5)", "PCA"]
CLASSES = {
    ("mnist", 2): "MNIST 2",
    ("mnist", 8): "MNIST 8",
    ("fashion-mnist", 0): "Fashion-MNIST 0 (T-shirt)",
    ("fashion-mnist", 6): "Fashion-MNIST 6 (shirt)",
}
PRINTED = {("mnist", 2): 0.952, ("mnist", 8): 0.919}
"""GradCon, Table 4 of the paper; it prints no single classes of Fashion-MNIST."""


def gradcon_short() -> str:
    """AUROC as mean and range over seeds, one row for each class."""
    found: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows("gradcon_short"):
        found[row["dataset"], row["class"], row["method"]].append(row)
    lines = [f"| normal class | {' | '.join(HEADS)} | paper |", "| --- |" + " --- |" * (len(HEADS) + 1)]
    seeds: set[object] = set()
    for key, name in CLASSES.items():
        cells = []
        for method, term in COLUMNS:
            values = [value(row, term) for row in found[*key, method]]
            seeds |= {row["seed"] for row in found[*key, method]}
            cells.append(
                f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})" if values else "not run"
            )
        printed = f"{PRINTED[key]:.3f}" if key in PRINTED else "not printed"
        lines.append(f"| {name} | {' | '.join(cells)} | {printed} |")
    return "\n".join([*lines, "", note(found, seeds)])


def note(found: dict[tuple[object, ...], list[Row]], seeds: set[object]) -> str:
    """What the numbers are, and where GradCon stands."""
    every = [row for group in found.values() for row in group]
    if not every:
        return "No results are committed yet."
    versions, commits = every[-1]["versions"], sorted({str(row["commit"])[:10] for row in every})
    assert isinstance(versions, dict)
    named = ", ".join(map(str, sorted(seeds, key=str)))
    anew = sum(int(str(row.get("restarts", 0))) for row in found_of(found, "cae"))
    again = sum(int(str(row.get("restarts", 0))) for row in found_of(found, "gradcon"))
    text = (
        f"AUROC on a balanced test set (the paper's protocol), mean and range over seeds {named}; 50 epochs, where the "
        f"authors' code makes 1000; the epoch is selected by the loss of held-out normals. The plain autoencoder stood "
        f"still at its start and began anew {anew} times in {len(found_of(found, 'cae'))} fits, GradCon {again} times "
        f"in {len(found_of(found, 'gradcon'))}. File: `results/gradcon_short.jsonl`, made by "
        f"`benchmarks/gradcon_short.py` at commit {', '.join(commits)} with torch {versions['torch']}, "
        f"{every[-1]['threads']} thread each."
    )
    plain = "\n".join(f"- {name}: {standing(found, key)}" for key, name in CLASSES.items())
    return f"{text}\n\nWhere GradCon stands, in the mean over seeds:\n\n{plain}"


def found_of(found: dict[tuple[object, ...], list[Row]], method: str) -> list[Row]:
    return [row for key, group in found.items() if key[-1] == method for row in group]


def standing(found: dict[tuple[object, ...], list[Row]], key: tuple[str, int]) -> str:
    """What GradCon is ahead of, and what it is behind."""

    def mean(method: str, term: str = "score") -> float | None:
        values = [value(row, term) for row in found[*key, method]]
        return statistics.mean(values) if values else None

    ours = mean("gradcon")
    others = {
        "raw-pixel kNN": mean("knn"),
        "PCA": mean("pca"),
        "the plain CAE": mean("cae"),
        "its own reconstruction error": mean("gradcon", "recon"),
        "the paper": PRINTED.get(key),
    }
    if ours is None:
        return "not run"
    ahead, behind = [], []
    for name, other in others.items():
        if other is not None:
            (behind if ours < other else ahead).append(f"{name} by {abs(ours - other):.3f}")
    parts = [f"{word} {', '.join(list_)}" for word, list_ in (("ahead of", ahead), ("**behind**", behind)) if list_]
    return "; ".join(parts)


TABLES = {"gradcon_short": (gradcon_short, ["docs/methods/gradcon.md", "README.md"])}
