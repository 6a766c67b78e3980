"""The papers' recipes: every printed number is covered, every protocol is one, every method is known."""

from collections import Counter
from math import inf, isclose

import numpy as np
import pytest
from synthetic import row

from amiss import catalog
from amiss.adversaries.noise import Noise
from amiss.bench import printed, recipes
from amiss.bench.cell import from_json, protocol_classes, to_json
from amiss.bench.recipe import Column, Line, auroc
from amiss.bench.recipes import budgets, committed, gradcon, gradcon_figures, smoke
from amiss.bench.recipes.overlap import pooled
from amiss.bench.recipes.parts import attacked, f1, mean_score, metric, over_levels, reweighted
from amiss.contracts import InputError
from amiss.evaluation.metrics import histogram_overlap
from amiss.methods.arae import ARAE
from amiss.methods.knn import KNN
from amiss.protocols.one_vs_rest import Entire

WANTED = (
    *(f"gradcon-{part}" for part in ("t1", "t2", "t3", "t4", "t5", "t6", "t7", "f5", "f6", "f7")),
    *(f"arae-{part}" for part in ("t1", "t2", "t3", "t4", "t5", "t6", "f4", "f5", "f6", "f7")),
    *("ama-t1", "ama-t2", "committed", "smoke"),
    *(f"history-{part}" for part in ("t1", "f1", "f5", "f6", "f7", "f8", "f9")),
)
PICTURES = ("arae-f6", "arae-f7", "history-f8")
NOT_COVERED = {("GradCon", "text 5.3")}
"""A time on a machine that nobody else has."""

ALL = [recipes.load(name) for name in recipes.names()]
GROUPS = [(recipe, group) for recipe in ALL for group in recipe.groups]


def _id(one):
    return getattr(one, "name", None) or one.label


def test_there_is_a_recipe_for_every_table_and_figure():
    assert set(WANTED) <= set(recipes.names())


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean gradcon-t4"):
        recipes.load("gradcon-4")
    with pytest.raises(InputError, match="choose from"):
        recipes.load("zzzz")


def claimed():
    """Of each printed target, the recipes in which a line of ours stands beside it."""
    found: dict[printed.Printed, set[str]] = {}
    for recipe, group in GROUPS:
        for line in group.lines:
            for column in group.columns:
                number = printed.find(group.printed, line.printed, column.printed)
                if number is not None:
                    found.setdefault(number, set()).add(recipe.name)
    return found


def test_every_printed_target_is_covered_by_exactly_one_recipe_which_names_its_paper_and_table():
    claims = claimed()
    for number in (number for number in printed.every() if number.target):
        if (number.source.paper, number.source.table) in NOT_COVERED:
            assert number not in claims
            continue
        assert len(claims.get(number, ())) == 1, number
        name = next(iter(claims[number]))
        paper, part = name.split("-")
        kind = "table" if part[0] == "t" else "fig"
        assert number.source.paper.lower().startswith(paper)
        assert number.source.table.lower().startswith(f"{kind} {part[1:]}"), (name, number)


def test_every_printed_name_in_a_recipe_is_printed_there():
    """A misspelt line or column would silently lose its printed number."""
    for recipe, group in GROUPS:
        if group.printed is None:
            continue
        there = [number for number in printed.every() if number.source == group.printed]
        assert there, (recipe.name, group.printed)
        sources = {other.printed for other in recipe.groups}
        methods = {number.method for number in printed.every() if number.source in sources}
        for line in group.lines:
            assert line.printed in (None, *methods), (recipe.name, line)
        for column in group.columns:
            assert column.printed in (None, *{number.column for number in there}), (recipe.name, column)
        for source in group.beside:
            assert any(number.source == source for number in printed.every()), source


def test_lines_of_the_papers_own_methods_are_own_lines():
    for _, group in GROUPS:
        for line in group.lines:
            if any(
                (number := printed.find(group.printed, line.printed, column.printed)) is not None and number.target
                for column in group.columns
            ):
                assert line.own, line.label


@pytest.mark.parametrize(("recipe", "group"), GROUPS, ids=_id)
def test_labels_are_unique(recipe, group):
    for labels in ([line.label for line in group.lines], [column.label for column in group.columns]):
        assert max(Counter(labels).values()) == 1
    assert max(Counter(other.label for other in recipe.groups).values()) == 1


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_cells_survive_json_and_pictures_say_that_they_have_none(recipe):
    cells = {budget: recipe.cells(budget, 1) for budget in ("quick", "published")}
    for cell in (*cells["quick"][::7], *cells["published"][::7]):
        assert from_json(to_json(cell)) == cell
    if recipe.name in PICTURES:
        assert not recipe.groups
        assert "picture" in recipe.note
    assert bool(cells["quick"]) == bool(cells["published"]) == (recipe.name not in PICTURES and not recipe.computed)


TRAINED = [(recipe, group) for recipe, group in GROUPS if group.controls and recipe.name != "smoke"]


@pytest.mark.parametrize(("recipe", "group"), TRAINED, ids=_id)
def test_knn_and_pca_stand_in_every_table_of_auroc(recipe, group):
    labels = {line.label for line in group.lines}
    assert {"kNN", "PCA"} <= labels or any(line.select for line in group.lines)


def test_methods_that_choose_their_epoch_by_anomalies_say_so():
    for _, group in GROUPS:
        for line in group.lines:
            assert line.select == ("epoch chosen" in line.label)


def test_smoke_touches_every_method_and_every_protocol():
    assert set(smoke.TINY) == {catalog.family(catalog.load(name)) for name in catalog.names()}
    assert all(catalog.family(method) == name for name, method in smoke.TINY.items())
    used = {type(protocol).__name__ for protocol in smoke.PROTOCOLS}
    own = {name for name, kind in protocol_classes().items() if kind.__module__.startswith("amiss.")}
    assert used == own


def test_the_committed_cells_hold_what_was_promised():
    cells = committed.cells()
    assert len({cell.key for cell in cells}) == len(cells)
    counts = Counter((_short(cell.method), type(cell.protocol).__name__, _dataset(cell)) for cell in cells)
    for dataset, protocol in (("mnist", "Balanced"), ("fashion-mnist", "FiveFolds"), ("cifar-10", "Balanced")):
        for method in ("gradcon", "cae", "vae", "knn", "pca", "kde", "ocsvm"):
            seeds = 3 if dataset == "cifar-10" and method in ("gradcon", "cae") else 1
            assert counts[method, protocol, dataset] == 10 * seeds, (method, dataset)
    for dataset in ("mnist", "fashion-mnist"):
        for method in ("knn", "pca", "kde", "ocsvm"):
            assert counts[method, "Entire", dataset] == 10 + (dataset == "mnist" and method in ("knn", "pca"))
        for method in ("arae", "dae"):
            extra = {"arae": 2, "dae": 1}[method]  # attacked; the plain autoencoder is of the same family
            assert counts[method, "Entire", dataset] == (10 + 10 + extra if dataset == "mnist" else 10)
    assert all(counts["arae", "Medical", name] == counts["gradcon", "Medical", name] == 5 for name in budgets.MEDICAL)
    assert counts["arae", "MergedShare", "coil-20"] == 15
    first = cells[:200]
    assert sum(catalog.family(cell.method) in ("knn", "pca", "kde", "ocsvm") for cell in first) > 190
    last = cells[-100:]
    assert sum(cell.seed > 0 for cell in last) > 60
    everywhere = {cell.key for recipe in ALL if recipe.name != "committed" for cell in recipe.cells("quick")}
    assert {cell.key for cell in cells} <= everywhere  # so that tables show all of it


def _short(method):
    name = catalog.family(method)
    if name == "gradcon":
        return "gradcon" if method.alpha else "vae" if method.variational else "cae"
    return "dae" if isinstance(method, ARAE) and isinstance(method.adversary, Noise) else name


def _dataset(cell):
    return getattr(cell.protocol, "dataset", None) or cell.protocol.normal


def test_overlapping_tables_share_their_cells():
    keys = {name: {cell.key for cell in recipes.load(name).cells("quick", 1)} for name in recipes.names()}
    assert keys["gradcon-f7"] <= keys["gradcon-t3"]
    assert keys["arae-f5"] <= keys["arae-t2"] | keys["arae-t6"]
    assert len(keys["arae-t2"] & keys["arae-t6"]) == 10 * 6  # ARAE, DAE and raw pixels on single digits


# Values


KNN_LINE = Line("kNN", KNN(), KNN())
ONE = Column("8", (Entire("mnist", (8,)),))


def a_row(**changed):
    cell = recipes.load("arae-t5").cells("quick", 1)[0]
    return row(cell, 0.9, **changed)


def test_values_of_other_metrics():
    rows = [a_row()]
    assert metric("image_AUPR_in")(rows, KNN_LINE, ONE) == pytest.approx(0.1)
    assert attacked(rows, KNN_LINE, Column("a", (), at=0.05)) == pytest.approx(0.85)
    assert attacked(rows, KNN_LINE, Column("a", (), at=0.3)) is None
    assert reweighted(rows, KNN_LINE, Column("a", (), at=0.5)) == pytest.approx(0.605)
    assert mean_score(rows, KNN_LINE, Column("a", (), at=1.0)) == 1
    assert mean_score(rows, KNN_LINE, Column("a", (), at=0.0)) == -1


def test_f1_is_that_of_the_positive_class_and_of_the_named_rule():
    rows = [a_row()]
    assert f1("normal", oracle=False)(rows, KNN_LINE, ONE) == 0.6
    assert f1("normal", oracle=True)(rows, KNN_LINE, ONE) == 0.8
    assert f1("anomaly", oracle=True)(rows, KNN_LINE, ONE) == 0.9
    without = a_row()
    without["trials"]["test"]["image_F1"] = without["trials"]["test"]["image_F1"][2:]
    assert f1("normal", oracle=False)([without], KNN_LINE, ONE) is None  # no labelled selection, no such threshold
    assert f1("normal", oracle=True)([without], KNN_LINE, ONE) == 0.8


def test_levels_are_averaged_by_the_condition_they_belong_to():
    rows = [a_row(trials=("rain 1", "rain 2", "snow 1"))]
    rows[0]["trials"]["rain 2"]["image_AUROC"] = 0.5
    assert over_levels(rows, KNN_LINE, Column("a", (), "rain")) == pytest.approx(0.7)
    assert over_levels(rows, KNN_LINE, Column("a", (), "haze")) is None


def test_the_smallest_multiple_above_ocgan():
    rows = [a_row()]
    by = rows[0]["reweighted"]["auroc"]
    by.update({name: 0.6 for name in by})
    assert gradcon_figures.above_ocgan(rows, KNN_LINE, ONE) == inf
    by["0.5"] = 0.66
    by["16.0"] = 0.7
    assert gradcon_figures.above_ocgan(rows, KNN_LINE, ONE) == 2  # half of the four alphas of the score
    del by["1.0"]
    assert gradcon_figures.above_ocgan(rows, KNN_LINE, ONE) is None


def test_parameters_are_those_of_the_networks():
    table = recipes.load("gradcon-t6").groups[0]
    gray, colour = (table.value((), table.lines[0], column) for column in table.columns)
    assert (gray, colour) == (230_721, 232_771)


# Overlap from quantiles


def quantiles(values, labels):
    return [[float(f"{v:.5g}") for v in np.quantile(values[labels == side], np.linspace(0, 1, 41))] for side in (0, 1)]


@pytest.mark.parametrize("law", ["normal", "lognormal", "gamma"])
@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_the_overlap_from_quantiles_is_near_that_of_the_scores(law, shift):
    rng = np.random.default_rng(0)
    rows, scores, sides = [], [], []
    for k in range(10):
        n = 400 + 100 * k
        draw = {"normal": rng.normal, "lognormal": rng.lognormal, "gamma": lambda a, b, size: rng.gamma(2, 1, size)}
        values = np.r_[draw[law](0.1 * k, 1, size=n), shift + draw[law](0.1 * k, 1, size=n)]
        labels = np.repeat([0, 1], n)
        trial = {"normal": n, "anomalous": n}
        rows.append({"quantiles": {"grad": quantiles(values, labels)}, "trials": {"test": trial}})
        scores.append(values)
        sides.append(labels)
    exact = histogram_overlap(np.concatenate(scores), np.concatenate(sides))
    assert abs((pooled(rows, "grad") or 0) - exact) < 2, exact
    assert pooled(rows, "recon") is None


def test_disjoint_and_equal_sides():
    def one(a, b):
        return {
            "quantiles": {"s": [list(np.linspace(a, a + 1, 41)), list(np.linspace(b, b + 1, 41))]},
            "trials": {"test": {"normal": 100, "anomalous": 100}},
        }

    assert isclose(pooled([one(0, 0)], "s") or 0, 50)
    assert isclose(pooled([one(0, 0.5)], "s", bins=3000) or 0, 25, rel_tol=1e-2)
    assert (pooled([one(0, 5)], "s") or 0) < 1e-9
    assert pooled([one(0, 0), one(0, 0)], "s") == pooled([one(0, 0)], "s")
    flat = {"quantiles": {"s": [[1.0] * 41, [1.0] * 41]}, "trials": {"test": {"normal": 1, "anomalous": 1}}}
    assert pooled([flat], "s") is None


def test_all_values_of_a_recipe_come_out_of_real_looking_rows():
    recipe = gradcon.table_1()
    line, column = recipe.groups[0].lines[2], recipe.groups[0].columns[-1]
    rows = [row(recipe.cell(line, protocol, 0, "quick")) for protocol in column.protocols]
    expected = [made["trials"]["test"]["terms_auroc"]["grad"] for made in rows]
    assert auroc(rows, line, column) == pytest.approx(sum(expected) / 10)
