"""The printed numbers: read right, marked where they cannot be trusted, and true to their own means."""

from collections import Counter
from statistics import mean

import pytest

from amiss.bench import printed
from amiss.bench.recipe import Source

T4 = Source("GradCon", "Table 4", "MNIST", "AUROC")


def test_a_number_is_found_by_its_place():
    found = printed.find(T4, "GradCon", "8")
    assert found is not None
    assert (found.value, found.role, found.target) == (0.919, "target", True)
    assert printed.find(T4, "GradCon", "10") is None
    assert printed.find(None, "GradCon", "8") is None
    assert printed.find(T4, None, "8") is None


def test_percent_become_shares_and_points_stay():
    brain = printed.find(Source("ARAE", "Table 1", "Brain MRI - Tumor", "AUC"), "ARAE", "AUC")
    assert brain is not None
    assert (brain.value, brain.std) == (0.97, 0.005)
    overlap = next(number for number in printed.every() if number.source.table.startswith("Fig 6"))
    assert overlap.value == -12.4


def test_uncertain_numbers_are_never_targets():
    unsure = [number for number in printed.every() if number.uncertain]
    assert len(unsure) > 30
    assert not any(number.target for number in unsure)
    lost = printed.find(T4, "AnoGAN", "0")
    kept = printed.find(T4, "AnoGAN", "9")
    assert lost is not None
    assert kept is not None
    assert (lost.uncertain, kept.uncertain) == (True, False)


def test_there_is_one_number_in_each_place_and_each_is_in_range():
    places = Counter((number.source, number.method, number.column) for number in printed.every())
    assert max(places.values()) == 1
    for number in printed.every():
        if number.value is not None and number.source.metric in ("AUROC", "AUC", "AUPRC", "F1", "mean AUC"):
            assert 0 <= number.value <= 1, number


@pytest.mark.parametrize("average", printed.AVERAGES[:2])
def test_printed_means_are_those_of_their_cells_but_for_the_ones_that_are_named(average):
    named = 0
    for source, method in {(number.source, number.method) for number in printed.every()}:
        whole = printed.find(source, method, average)
        cells = [
            number.value
            for number in printed.every()
            if (number.source, number.method) == (source, method)
            and number.column not in printed.AVERAGES
            and number.value is not None
            and not number.uncertain
        ]
        if whole is None or whole.value is None or whole.uncertain or len(cells) != 10:
            continue
        if whole.mean_of_cells is not None:
            named += 1
            assert abs(mean(cells) - whole.mean_of_cells) < 6e-4
            assert round(mean(cells), 3) != whole.value
        else:
            assert abs(mean(cells) - whole.value) < 1.01e-3, (source, method, mean(cells))
    assert named == (3 if average == "Average" else 0)
