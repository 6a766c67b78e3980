"""A recipe: which cells it has, in which order, and how numbers come from rows."""

from math import isclose

import pytest
from synthetic import row

from amiss.bench.cell import Cell
from amiss.bench.recipe import Column, Group, Line, Recipe, auroc, mean, trial_of, trial_value
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.protocols.one_vs_rest import Balanced, Entire

A, B = Balanced("mnist", 0), Balanced("mnist", 1)
SLOW = Line("slow", GradCon(epochs=1), GradCon(epochs=9), curve=5)
FAST = Line("fast", KNN(), KNN())
COLUMNS = (Column("a", (A,)), Column("b", (B,)), Column("mean", (A, B)))


def made(**changed):
    return Recipe("r", "R", (Group("", (SLOW, FAST), COLUMNS, auroc, "AUROC"),), seeds=2, **changed)


def test_every_cell_is_there_once_seed_by_seed_and_the_cheap_ones_first():
    cells = made().cells("quick")
    assert [(type(cell.method), cell.protocol, cell.seed) for cell in cells] == [
        (method, protocol, seed) for seed in (0, 1) for method in (KNN, GradCon) for protocol in (A, B)
    ]
    assert len(made().cells("quick", seeds=1)) == 4


def test_the_budget_decides_the_method_and_whether_a_curve_is_recorded():
    quick, long = (made().cell(SLOW, A, 0, budget) for budget in ("quick", "published"))
    assert (quick.method, quick.curve) == (GradCon(epochs=1), 0)
    assert (long.method, long.curve) == (GradCon(epochs=9), 5)


def test_equal_cells_of_two_recipes_have_one_key_and_an_attack_makes_another():
    other = Recipe("o", "O", (Group("x", (FAST,), (Column("z", (A,)),), auroc, "AUROC"),))
    assert other.cell(FAST, A, 0, "quick").key == made().cell(FAST, A, 0, "published").key
    assert made(attack=(0.1,)).cell(FAST, A, 0, "quick").key != made().cell(FAST, A, 0, "quick").key


def test_computed_recipes_have_no_cells_and_extra_cells_come_first():
    assert made(computed=True).cells("quick") == ()
    extra = Cell(KNN(), Entire("mnist", (3,)), 1)
    assert made(also=(extra,)).cells("quick")[0] == extra
    assert extra not in made(also=(extra,)).cells("quick", seeds=1)


def test_a_line_that_is_subtracted_is_run_too():
    line = Line("gain", GradCon(epochs=1), GradCon(epochs=9), less=FAST)
    recipe = Recipe("r", "R", (Group("", (line,), COLUMNS[:1], auroc, "AUROC"),), seeds=1)
    assert [type(cell.method) for cell in recipe.cells("quick")] == [GradCon, KNN]


def test_only_keeps_what_a_word_names_and_everything_where_it_names_nothing():
    found = made().only(["FAST", "b"])
    assert [line.label for line in found.groups[0].lines] == ["fast"]
    assert [column.label for column in found.groups[0].columns] == ["b"]
    assert [line.label for line in made().only(["mean"]).groups[0].lines] == ["slow", "fast"]


def test_values_are_means_over_protocols_and_none_where_a_part_is_missing():
    rows = [row(made().cell(FAST, protocol, 0, "quick"), auroc=value) for protocol, value in ((A, 0.8), (B, 0.9))]
    assert isclose(auroc(rows, FAST, COLUMNS[2]) or 0, 0.85)
    term = Line("t", KNN(), KNN(), term="nothing")
    assert auroc(rows, term, COLUMNS[2]) is None
    assert trial_value(rows[0], "other trial", None) is None
    assert trial_of({}, None) == {}


@pytest.mark.parametrize(("values", "expected"), [([], None), ([1.0, None], None), ([1.0, 2.0], 1.5)])
def test_a_mean_needs_all_its_values(values, expected):
    assert mean(values) == expected
