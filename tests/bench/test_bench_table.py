"""Tables: the arithmetic by hand, what is said of gaps, and the same Markdown whatever the order of files."""

import csv
import io
import json
import random
import time
from itertools import pairwise

import pytest
from synthetic import results, row

from amiss.bench import recipes
from amiss.bench.entries import fill
from amiss.bench.recipe import Column, Group, Line, Recipe, Source, auroc
from amiss.bench.results import read
from amiss.bench.run import failure
from amiss.bench.standing import missed, standings
from amiss.bench.table import WIDTH, grid, render
from amiss.contracts import InputError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.protocols.one_vs_rest import Balanced

SOURCE = Source("GradCon", "Table 4", "MNIST", "AUROC")
OWN = Line("GradCon", GradCon(epochs=1), GradCon(epochs=9), printed="GradCon", own=True)
OTHER = Line("kNN", KNN(), KNN())
DIGITS = [Balanced("mnist", digit) for digit in range(3)]
COLUMNS = (
    *(Column(str(digit), (protocol,), printed=str(digit)) for digit, protocol in enumerate(DIGITS)),
    Column("mean", tuple(DIGITS), printed="Average"),
)
GROUP = Group("", (OWN, OTHER), COLUMNS, auroc, "AUROC", SOURCE)
RECIPE = Recipe("gradcon-x", "A table", (GROUP,), seeds=2, note="A note.")

GRADCON = {(0, 0): 0.990, (1, 0): 0.9994, (2, 0): 0.950, (0, 1): 1.0, (1, 1): 0.999, (2, 1): 0.930}
"""AUROC by digit and seed; printed are 0.995, 0.999, 0.952 and the average 0.973."""


def cell(line, digit, seed=0):
    return RECIPE.cell(line, DIGITS[digit], seed, "quick")


def some(values=GRADCON, knn=None):
    found = [row(cell(OWN, digit, seed), value) for (digit, seed), value in values.items()]
    return results(*found, *(row(cell(OTHER, digit), value) for digit, value in (knn or {}).items()))


def entries(found, seeds=None):
    return fill(RECIPE, GROUP, found, "quick", seeds).entries[0]


def test_means_ranges_and_differences_by_hand():
    zero, one, two, mean = entries(some())
    assert zero.value == pytest.approx(0.995)
    assert (zero.low, zero.high, zero.spread, zero.seeds) == (0.990, 1.0, "seeds", (0, 1))
    assert zero.difference == pytest.approx(0)
    assert two.difference == pytest.approx(0.940 - 0.952)
    assert mean.value == pytest.approx(((0.990 + 0.9994 + 0.950) / 3 + (1.0 + 0.999 + 0.930) / 3) / 2)
    assert (mean.low, mean.high) == (pytest.approx(2.929 / 3), pytest.approx(2.9394 / 3))
    assert [missed(entry, GROUP) for entry in (zero, one, two, mean)] == [False, False, True, False]


def test_with_one_seed_the_range_is_the_bootstrap_of_the_test_images():
    entry = entries(some(), seeds=1)[0]
    assert (entry.low, entry.high, entry.spread) == (pytest.approx(0.98), pytest.approx(1.0), "bootstrap")
    assert entries(some(), seeds=1)[3].low is None  # a mean over protocols has none


def test_missing_failed_and_partial_are_told_apart():
    broken = failure(cell(OWN, 1), InputError("the code collapsed."))
    found = results(row(cell(OWN, 0), 0.9), broken)
    zero, one, two, mean = entries(found)
    assert zero.value == 0.9
    assert one.state == "failed: the code collapsed"
    assert two.state == "not run"
    assert mean.state == "failed: the code collapsed"
    assert entries(results(row(cell(OWN, 0), 0.9)))[3].state == "1 of 3"
    text = render(RECIPE, found, "quick", "text")
    assert "failed: the code collapsed." in text
    assert "not run" in text


def test_nothing_at_all_renders_with_printed_numbers():
    for form in ("text", "markdown", "csv"):
        made = render(RECIPE, results(), "quick", form)
        assert "not run" in made
        assert "0.995" in made
        assert "0.988" in made  # a method that only the paper has


def test_another_budget_has_other_cells():
    assert entries(some())[0].value is not None
    assert fill(RECIPE, GROUP, some(), "published").entries[0][0].state == "not run"


def test_what_is_said_of_gaps_names_columns_and_numbers():
    said = standings(fill(RECIPE, GROUP, some(knn={0: 0.996, 1: 0.5, 2: 0.5}), "quick"))
    assert said[0] == "**GradCon** reaches 3 of 4 printed numbers."
    assert said[1] == "GradCon does not reach: 2 0.940, printed 0.952."
    assert "kNN in 2 of 3 (behind: 0)" in said[2]
    assert "the best trivial control in 3 of 3" in said[2]  # the controls reach 0.7


def test_lower_can_be_better():
    group = Group("", (OWN, OTHER), COLUMNS, auroc, "FPR", SOURCE, better="lower")
    filled = fill(RECIPE, group, some(knn={0: 0.996, 1: 0.5, 2: 0.5}), "quick")
    assert "kNN in 1 of 3 (behind: 1, 2)" in " ".join(standings(filled))
    assert [missed(entry, group) for entry in filled.entries[0]] == [False, False, False, True]  # the mean: 0.978


def test_uncertain_printed_numbers_are_shown_but_never_compared():
    line = Line("AnoGAN", KNN(), KNN(), printed="AnoGAN", own=True)
    group = Group("", (line,), COLUMNS, auroc, "AUROC", SOURCE)
    filled = fill(RECIPE, group, some({}, {0: 0.9, 1: 0.9, 2: 0.9}), "quick")
    assert filled.entries[0][0].difference is None
    assert not missed(filled.entries[0][0], group)
    assert "0.966?" in str(grid(filled).rows)
    assert "0.966?" not in render(RECIPE, results(), "quick", "csv")


def test_marked_rows_have_a_dagger_and_their_sentence():
    marked = row(cell(OWN, 0), 0.9, marks=["the training images and the trial 'test' share 3 equal images"])
    made = render(RECIPE, results(marked), "quick", "markdown")
    assert "0.900†" in made
    assert "† GradCon, 0: the training images and the trial 'test' share 3 equal images." in made


def test_rules_budgets_and_origins_are_told():
    made = render(RECIPE, some(), "quick", "markdown")
    for part in ("epochs=1", "last epoch (GradCon)", "Seeds: 0, 1", "0123456789ab", "torch 2.13.0", "cpu (x86_64)"):
        assert part in made, part
    assert "A note." in made


def test_what_does_not_train_has_no_epoch_to_choose():
    kept = row(cell(OWN, 0), 0.9, last_losses={})  # older rows say "last epoch" of it
    assert "Choice of the epoch: none to choose (GradCon)." in render(RECIPE, results(kept), "quick", "markdown")


def test_subtracted_lines_are_paired_seed_by_seed():
    line = Line("gain", GradCon(epochs=1), GradCon(epochs=9), less=OTHER, own=True)
    group = Group("", (line,), COLUMNS[:1], auroc, "gain", better="neither")
    both = some({(0, 0): 0.9, (0, 1): 0.95}, {0: 0.8})
    entry = fill(RECIPE, group, both, "quick").entries[0][0]
    assert entry.value == pytest.approx(0.1)
    assert entry.seeds == (0,)  # seed 1 has nothing to be paired with


def test_the_text_is_narrow_and_markdown_rows_are_whole():
    for name in recipes.names():
        recipe = recipes.load(name)
        found = results(*(row(one) for one in recipe.cells("quick", 1)))
        assert max(map(len, render(recipe, found, "quick", "text").split("\n"))) <= WIDTH, name
        lines = render(recipe, found, "quick", "markdown").split("\n")
        for before, line in pairwise(lines):
            if before.startswith("|") and line.startswith("|"):
                assert before.count(" | ") == line.count(" | "), (name, line)


def test_csv_holds_every_number():
    rows = list(csv.DictReader(io.StringIO(render(RECIPE, some(), "quick", "csv"))))
    mine = {found["column"]: found for found in rows if found["line"] == "GradCon"}
    assert float(mine["2"]["ours"]) == pytest.approx(0.94)
    assert float(mine["2"]["difference"]) == pytest.approx(-0.012)
    assert mine["2"]["seeds"] == "0 1"
    assert any(found["line"] == "LSA" and found["state"] == "printed only" for found in rows)
    assert any(found["line"] == "total variation, two-sided" and found["ours"] == "0.5" for found in rows)


def test_result_files_give_the_same_tables_in_any_order(tmp_path):
    recipe = recipes.load("gradcon-t4")
    rows = [row(one) for one in recipe.cells("quick", 2)]
    made = set()
    for turn in range(4):
        random.Random(turn).shuffle(rows)
        folder = tmp_path / str(turn)
        folder.mkdir()
        for part in range(3):
            lines = [json.dumps(one) for one in rows[part::3]] + [json.dumps(rows[0])]
            (folder / f"{'abc'[(part + turn) % 3]}.jsonl").write_text("\n".join(lines) + "\n")
        made.add(tuple(render(recipe, read([folder]), "quick", form) for form in ("markdown", "text", "csv")))
    assert len(made) == 1


def test_all_tables_of_many_rows_take_seconds():
    rows = {}
    for name in recipes.names():
        rows |= {one.key: one for one in recipes.load(name).cells("quick", 1)}
    found = results(*(row(one) for one in rows.values()))
    assert len(found.rows) > 1500
    started = time.process_time()
    for name in recipes.names():
        render(recipes.load(name), found, "quick", "markdown")
    assert time.process_time() - started < 5
