"""What the documentation shows of the benchmark: a paper's tables, its gap in five lines, the index, the ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amiss.bench import ranks, recipes
from amiss.bench.entries import Entry, Filled, fill
from amiss.bench.printed import Printed
from amiss.bench.recipe import Budget, Group, Recipe
from amiss.bench.results import Results
from amiss.bench.standing import described, missed, shown
from amiss.bench.table import markdown, to_csv

PAPERS = ("gradcon", "arae", "ama", "history")
"""First part of the recipes' names."""

WORST = 5
"""So many of the largest gaps are named."""

NOTHING = "No result is committed yet."

RANKED = {
    "GradCon's protocols: MNIST, Fashion-MNIST and CIFAR-10": (
        ("gradcon-t4", "gradcon-t7", "gradcon-t3"),
        ("GradCon", "CAE", "VAE (latent)", "kNN", "PCA", "OC-SVM", "KDE"),
    ),
    "ARAE's protocol 2: MNIST, Fashion-MNIST and five classes of CIFAR-10": (
        ("arae-t2", "arae-t4"),
        ("ARAE", "DAE", "kNN", "PCA", "OC-SVM"),
    ),
}
"""Which lines of which tables are ranked together."""


@dataclass(frozen=True)
class Shown:
    """A recipe with its numbers at one budget."""

    recipe: Recipe
    budget: Budget
    filled: tuple[Filled, ...]

    @property
    def entries(self) -> list[tuple[Entry, Group]]:
        """Every number, with its group."""
        return [(entry, one.group) for one in self.filled for entries in one.entries for entry in entries]

    @property
    def done(self) -> bool:
        """Whether there is any number that was run for."""
        return any(entry.value is not None for entry, _ in self.entries)

    @property
    def of_its_own(self) -> bool:
        """Whether there is a number that the other budget does not have."""
        lines = (entry.line for entry, _ in self.entries if entry.value is not None)
        return not self.recipe.computed and any(line.quick != line.published for line in lines)


class Numbers:
    """Every recipe with its numbers, each looked up once."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._known: dict[tuple[str, Budget], Shown] = {}

    def recipe(self, name: str, budget: Budget = "quick") -> Shown:
        """Return a recipe with its numbers."""
        if (name, budget) not in self._known:
            recipe = recipes.load(name)
            filled = tuple(fill(recipe, group, self.results, budget) for group in recipe.groups)
            self._known[name, budget] = Shown(recipe, budget, filled)
        return self._known[name, budget]

    def paper(self, paper: str, budget: Budget = "quick") -> list[Shown]:
        """Return a paper's recipes with their numbers."""
        return [self.recipe(name, budget) for name in recipes.names() if name.split("-")[0] == paper]


def tables(paper: str, numbers: Numbers) -> str:
    """Return a paper's tables as Markdown: quick, and published where a result of that budget exists."""
    long = {one.recipe.name: one for one in numbers.paper(paper, "published")}
    parts = []
    for one in numbers.paper(paper):
        parts.append(markdown(one.recipe, one.filled, "quick", level=3))
        other = long[one.recipe.name]
        if other.of_its_own:
            parts.append(f"#### {one.recipe.name} at the published budget")
            parts.append(markdown(other.recipe, other.filled, "published", level=5))
    return "\n\n".join(parts)


def sheet(paper: str, numbers: Numbers) -> str:
    """Return every number of a paper's tables as CSV."""
    lines: list[str] = []
    budgets: tuple[Budget, Budget] = ("quick", "published")
    for budget in budgets:
        for one in numbers.paper(paper, budget):
            if budget == "quick" or one.of_its_own:
                head, *rest = to_csv(one.recipe, one.filled, one.budget).split("\n")
                lines += rest if lines else [head, *rest]
    return "\n".join(lines) + "\n"


def gap(paper: str, numbers: Numbers) -> str:
    """Return the gap between our quick runs and the printed numbers in five lines."""
    every = numbers.paper(paper)
    run = [one for one in every if not one.recipe.computed]
    own = [(one, entry, group) for one in run for entry, group in one.entries if entry.line.own]
    targets = _once(own)
    with_result = [each for each in targets if each[1].value is not None]
    behind = [each for each in with_result if missed(each[1], each[2])]
    if not any(entry.value is not None for _, entry, _ in own):
        return (
            f"{NOTHING} The tables below hold {len(targets)} printed numbers of the paper's own methods, none of which "
            "is tried yet."
        )
    lines = [
        f"Of {len(targets)} printed numbers of the paper's own methods {len(with_result)} have a result of ours at the "
        f"quick budget; {len(with_result) - len(behind)} of these are reached, {len(behind)} are not.",
        f"Means over classes: {_listed(_means(with_result)) or 'none has a result'}.",
        f"Largest gaps: {_listed([_told(*each) for each in _worst(behind)]) or 'none'}.",
        _simple(every),
        _open(every),
    ]
    return "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))


def _once(own: Sequence[tuple[Shown, Entry, Group]]) -> list[tuple[Shown, Entry, Group]]:
    """Each printed number of the paper's own methods once, with a result of ours where one place has it."""
    found: dict[Printed, tuple[Shown, Entry, Group]] = {}
    for each in own:
        printed = each[1].printed
        if printed is not None and printed.target and (printed not in found or found[printed][1].value is None):
            found[printed] = each
    return list(found.values())


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _told(one: Shown, entry: Entry, group: Group) -> str:
    place = ", ".join(part for part in (one.recipe.name, group.label, entry.line.label, entry.column.label) if part)
    return f"{place}: {shown(entry.value or 0, group)}, printed {shown(entry.readable or 0, group)}"


def _means(targets: Sequence[tuple[Shown, Entry, Group]]) -> list[str]:
    return [_told(*each) for each in targets if len(each[1].column.protocols) > 1]


def _worst(behind: Sequence[tuple[Shown, Entry, Group]]) -> list[tuple[Shown, Entry, Group]]:
    """The largest gaps, numbers between 0 and 1 only: others are on scales of their own."""
    alike = [each for each in behind if each[2].decimals == 3]
    return sorted(alike, key=lambda each: -abs(each[1].difference or 0))[:WORST]


def _simple(every: Sequence[Shown]) -> str:
    """How often the paper's main method is ahead of what takes no training, over single columns of AUROC."""
    counts = {"kNN on raw pixels": [0, 0], "the best trivial control": [0, 0]}
    seen = set()
    for one in every:
        for filled in one.filled:
            first = next((entries for entries in filled.entries if entries[0].line.own), None)
            if first is None or not filled.group.controls:
                continue
            knn = next((entries for entries in filled.entries if entries[0].line.label == "kNN"), None)
            for i, entry in enumerate(first):
                place = (entry.line, entry.column.protocols, entry.column.trial)
                if entry.value is None or len(entry.column.protocols) != 1 or place in seen:
                    continue
                seen.add(place)
                controls = [value for values in filled.controls.values() if (value := values[i]) is not None]
                rivals = (None if knn is None else knn[i].value, max(controls, default=None))
                for count, rival in zip(counts.values(), rivals, strict=True):
                    if rival is not None:
                        count[0] += entry.value >= rival
                        count[1] += 1
    said = [f"{name} in {a} of {b}" for name, (a, b) in counts.items() if b]
    if not said:
        return "In AUROC no single column has a result of a table's first line yet."
    return f"In AUROC on single columns the first line of each table is ahead of or level with {'; '.join(said)}."


def _open(every: Sequence[Shown]) -> str:
    missing = [one.recipe.name for one in every if one.recipe.groups and not one.recipe.computed and not one.done]
    failed = sum(entry.state.startswith("failed") for one in every for entry, _ in one.entries)
    marked = sum(bool(entry.marks) for one in every for entry, _ in one.entries)
    return (
        f"Not run: {', '.join(missing) or 'no whole table'}. Failed: {failed} numbers. Marked for a look at labels: "
        f"{marked} numbers."
    )


def overview(numbers: Numbers) -> str:
    """Return the list of recipes: what each is, how many of its cells are done, how many printed numbers it reaches."""
    lines = ["| recipe | what | cells done, quick | printed numbers reached |", "| --- | --- | ---: | ---: |"]
    for paper in PAPERS:
        for one in numbers.paper(paper):
            cells = one.recipe.cells("quick")
            done = sum(cell.key in numbers.results.rows for cell in cells)
            targets = [
                (entry, group) for entry, group in one.entries if entry.printed is not None and entry.printed.target
            ]
            known = [(entry, group) for entry, group in targets if entry.value is not None]
            reached = sum(not missed(entry, group) for entry, group in known)
            count = f"{reached} of {len(known)}, of {len(targets)}" if targets else "none printed"
            state = f"{done} of {len(cells)}" if cells else "computed" if one.recipe.computed else "a picture"
            lines.append(f"| [{one.recipe.name}]({paper}.md) | {one.recipe.title} | {state} | {count} |")
    return "\n".join(lines)


def budgets() -> str:
    """Return the settings of each method at both budgets, as the recipes have them."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in recipes.names():
        recipe = recipes.load(name)
        for group in recipe.groups if name.split("-")[0] in PAPERS else ():
            for line in group.lines:
                both = described(line.quick), described(line.published)
                found.setdefault(both, []).append(name)
    lines = ["| quick | published | in |", "| --- | --- | --- |"]
    for (quick, long), names in sorted(found.items()):
        same = "the same" if quick == long else long
        lines.append(f"| {quick} | {same} | {', '.join(dict.fromkeys(names))} |")
    return "\n".join(lines)


def ranking(numbers: Numbers) -> str:
    """Return the mean ranks of methods over tables' single columns."""
    parts = []
    for title, (names, labels) in RANKED.items():
        filled = [one for name in names for one in numbers.recipe(name).filled]
        found = ranks.of_tables(filled, labels)
        said = ranks.said(found) if found is not None else [NOTHING]
        parts += [f"**{title}**", "\n".join(f"- {sentence}" for sentence in said)]
    return "\n\n".join(parts)
