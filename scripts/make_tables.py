"""Write the tables of docs/ from the committed results; nothing in them is typed by hand.

    python scripts/make_tables.py [--check]

--check changes nothing and exits 1 if a table is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Row = dict[str, object]
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


def rows(name: str) -> list[Row]:
    path = ROOT / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def value(row: Row, term: str) -> float:
    terms = row["terms_auroc"]
    assert isinstance(terms, dict)
    return float(str(row["image_AUROC"] if term == "score" else terms[term]))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, (make, pages) in TABLES.items():
        pattern = re.compile(rf"(<!-- table:{name} -->\n).*?(<!-- end -->)", re.DOTALL)
        table = make()
        for page in pages:
            path = ROOT / page
            old = path.read_text()
            new = pattern.sub(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", old)
            if new != old:
                stale.append(page)
                if not check:
                    path.write_text(new)
    print(f"{'stale' if check else 'written'}: {', '.join(stale) or 'none'}")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
