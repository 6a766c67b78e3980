"""What recipes are put together from: lines of common methods, columns of classes, and values of common metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amiss.bench.recipe import Column, Line, Value, mean, number, trial_of, trial_value
from amiss.bench.recipes.budgets import Budgets, classical
from amiss.bench.results import Row
from amiss.protocols.task import Protocol

AUROC = "AUROC; anomaly is the positive class"
TEN = tuple(range(10))
DIGITS = tuple(str(digit) for digit in TEN)
GARMENTS = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
OBJECTS = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def line(
    label: str,
    budgets: Budgets,
    term: str | None = None,
    *,
    printed: str | None = None,
    own: bool = False,
    select: bool = False,
    curve: int = 0,
) -> Line:
    """Return the line of a method at both budgets."""
    return Line(label, budgets.quick, budgets.published, term, printed, own, select, curve)


def baselines(*, ocsvm: str | None = None, kde: str | None = None) -> tuple[Line, ...]:
    """Lines of raw pixels without any training; ocsvm, kde: what the paper calls them, where it prints them."""
    return (
        line("kNN", classical("knn")),
        line("PCA", classical("pca")),
        line("OC-SVM", classical("ocsvm"), printed=ocsvm),
        line("KDE", classical("kde"), printed=kde),
    )


def classes(
    labels: Sequence[str],
    protocol: Callable[[int], Protocol],
    *,
    printed: Sequence[str] | None = None,
    mean_printed: str | None = None,
    only: Sequence[int] = TEN,
) -> tuple[Column, ...]:
    """Return a column for each normal class, and one for their mean."""
    each = tuple(Column(labels[c], (protocol(c),), printed=None if printed is None else printed[c]) for c in only)
    return (*each, Column("mean", tuple(protocol(c) for c in only), printed=mean_printed))


def metric(name: str) -> Value:
    """Return the value of another metric of a trial, such as image_AUPR_out, as a mean over protocols."""

    def value(rows: Sequence[Row], line: Line, column: Column) -> float | None:
        return mean([number(trial_of(row, column.trial), name) for row in rows])

    return value


def over_levels(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over the trials whose name is the column's trial and a level."""
    found = []
    for row in rows:
        trials = row.get("trials")
        names = [name for name in trials if name.startswith(f"{column.trial} ")] if isinstance(trials, dict) else []
        found += [trial_value(row, name, column.term or line.term) for name in names]
    return mean(found)


def attacked(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over protocols where the normal test images are attacked within the column's radius."""
    return mean([_attacked(row, column.at or 0.0) for row in rows])


def _attacked(row: Row, eps: float) -> float | None:
    found = row.get("attacked")
    for entry in found if isinstance(found, list) else []:
        if isinstance(entry, dict) and entry.get("eps") == eps:
            return number(entry, "auroc")
    return None


def f1(positive: str, *, oracle: bool) -> Value:
    """Return the F1 of a positive class, at the threshold of the labelled selection, or at the best one on the test.

    The best threshold on the test images is one that nobody can know; where a paper took it, the table says so.
    """

    def of(row: Row, trial: str | None) -> float | None:
        every = trial_of(row, trial).get("image_F1")
        found = [
            number(entry, "value")
            for entry in (every if isinstance(every, list) else [])
            if isinstance(entry, dict) and entry.get("positive") == positive
        ]
        if oracle:
            return found[-1] if found else None
        return found[0] if len(found) > 1 else None  # without a selection there is but the best one

    def value(rows: Sequence[Row], line: Line, column: Column) -> float | None:
        return mean([of(row, column.trial) for row in rows])

    return value


def mean_score(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean score of one side of the column's trial: 0 for the normal images, 1 for the anomalies."""
    return mean([_side(row, column.trial, int(column.at or 0)) for row in rows])


def _side(row: Row, trial: str | None, side: int) -> float | None:
    found = trial_of(row, trial).get("mean_score")
    return float(found[side]) if isinstance(found, list) and len(found) == 2 else None


def reweighted(rows: Sequence[Row], line: Line, column: Column) -> float | None:
    """Mean AUROC over protocols where the second part's weight is multiplied by the column's number."""
    return mean([_reweighted(row, column.at) for row in rows])


def _reweighted(row: Row, multiple: float | None) -> float | None:
    found = row.get("reweighted")
    by = found.get("auroc") if isinstance(found, dict) else None
    return number(by, str(multiple)) if isinstance(by, dict) else None
