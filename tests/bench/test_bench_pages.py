"""Pages of the documentation: they render without results, and say what the rows say."""

import re
from pathlib import Path

from synthetic import results, row

from amiss.bench import pages, recipes

ROOT = Path(__file__).resolve().parents[2]


def one_table(name, auroc):
    return pages.Numbers(results(*(row(cell, auroc) for cell in recipes.load(name).cells("quick", 1))))


def test_every_page_renders_without_results():
    empty = pages.Numbers(results())
    for paper in pages.PAPERS:
        assert pages.NOTHING in pages.gap(paper, empty)
        made = pages.tables(paper, empty)
        for name in recipes.names():
            if name.split("-")[0] == paper:
                assert recipes.load(name).title in made
        assert pages.sheet(paper, empty).count("\n") > 10
    assert pages.NOTHING in pages.ranking(empty)
    assert "0 of 210" in pages.overview(empty)
    assert "`gradcon` with epochs=30" in pages.budgets()


def test_the_gap_counts_each_printed_number_once():
    low = pages.gap("gradcon", one_table("gradcon-t4", 0.96))
    lines = low.split("\n")
    assert len(lines) == 5
    assert "12 have a result of ours" in lines[0]  # ten digits, their mean, and Figure 5 from the same cells
    assert "2 of these are reached, 10 are not" in lines[0]  # 2: 0.952, 8: 0.919; every other is printed above 0.96
    assert "gradcon-t4, GradCon, mean: 0.960, printed 0.973" in lines[1]
    assert lines[2].index("GradCon, 1: 0.960, printed 0.999") < lines[2].index("GradCon, 0: 0.960, printed 0.995")
    assert "kNN on raw pixels in 10 of 10; the best trivial control in 10 of 10" in lines[3]
    assert "gradcon-t5" in lines[4]
    assert "gradcon-t4" not in lines[4]


def test_numbers_above_the_printed_ones_are_reached():
    assert "11 of these are reached, 1 are not" in pages.gap("gradcon", one_table("gradcon-t4", 1.0))


def test_failures_and_marks_are_counted():
    cell = recipes.load("arae-t5").cells("quick", 1)[0]
    made = pages.gap("arae", pages.Numbers(results(row(cell, marks=["looked"]))))
    own = recipes.load("arae-t5").cells("quick", 1)
    marked = pages.gap("arae", pages.Numbers(results(*(row(one, marks=["looked"]) for one in own))))
    assert pages.NOTHING in made  # kNN alone is not the paper's method
    assert re.search(r"Marked for a look at labels: [1-9]", marked)


def test_published_tables_are_shown_once_they_have_a_result():
    cells = recipes.load("arae-t5").cells("published", 1)
    empty = pages.tables("arae", pages.Numbers(results()))
    made = pages.tables("arae", pages.Numbers(results(*(row(one) for one in cells))))
    assert "arae-t5 at the published budget" not in empty
    assert "arae-t5 at the published budget" in made


def test_ranks_need_results_of_all_methods_in_the_same_columns():
    found = pages.ranking(one_table("gradcon-t4", None))
    assert "Mean ranks over 10 columns" in found
    for label in pages.RANKED["GradCon's protocols: MNIST, Fashion-MNIST and CIFAR-10"][1]:
        assert label in found


def test_the_written_pages_have_a_place_for_every_table():
    for paper in pages.PAPERS:
        text = (ROOT / "docs" / "benchmarks" / f"{paper}.md").read_text()
        assert {f"bench_{paper}", f"bench_{paper}_gap"} <= set(re.findall(r"<!-- table:(\w+) -->", text))
