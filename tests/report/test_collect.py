"""What a page keeps of the images that pass by."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amiss.contracts import ImageSpec
from amiss.data.images import Layout
from amiss.report.collect import AROUND, EXPLAINED, Collector

LAYOUT = Layout(ImageSpec(1, 4, 4), "uint8")


def passed(scores, *, chunk=7, threshold=None, most=2000, **more):
    """A collector that has seen images whose pixels are all their number."""
    collector = Collector(LAYOUT, threshold, most=most)
    values = np.asarray(scores, np.float64)
    for start in range(0, len(values), chunk):
        part = values[start : start + chunk]
        pixels = (
            np.zeros((len(part), 1, 4, 4), np.uint8) + np.arange(start, start + len(part))[:, None, None, None] % 256
        )
        collector.add([str(start + i) for i in range(len(part))], part, pixels.astype(np.uint8), **more)
    return collector


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 9), st.integers(0, 12))
def test_the_highest_are_kept_and_of_equals_the_first(scores, chunk, most):
    kept = passed(scores, chunk=chunk, most=most).kept()
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:most]
    assert [one.at for one in kept] == order
    assert [one.name for one in kept] == [str(i) for i in order]
    assert [one.score for one in kept] == [scores[i] for i in order]


def test_the_highest_and_those_around_the_threshold_are_explained():
    scores = np.random.default_rng(0).permutation(1000).astype(float)
    collector = passed(scores, threshold=300.2, chunk=64)
    found = {scores[one.at] for one in collector.whole()}
    highest = set(range(1000 - EXPLAINED, 1000))
    around = set(sorted(range(1000), key=lambda score: abs(score - 300.2))[:AROUND])
    assert found == highest | around
    assert all((one.pixels == one.at % 256).all() for one in collector.whole())
    assert len(passed(scores).whole()) == EXPLAINED


def test_images_are_kept_as_copies():
    collector = Collector(LAYOUT, None)
    pixels = np.full((1, 1, 4, 4), 7, np.uint8)
    collector.add(["a"], np.array([1.0]), pixels)
    pixels[:] = 0
    assert (collector.whole()[0].pixels == 7).all()


def test_all_scores_are_kept_also_by_set_and_truth():
    collector = Collector(LAYOUT, None, most=1)
    pixels = np.zeros((2, 1, 4, 4), np.uint8)
    collector.add(["a", "b"], np.array([1.0, 2.0]), pixels, where="test", truth="normal")
    collector.add(["c", "d"], np.array([3.0, 4.0]), pixels, where="new", truth="anomalous")
    assert collector.scores.tolist() == [1, 2, 3, 4]
    assert {name: part.tolist() for name, part in collector.truths.items()} == {"normal": [1, 2], "anomalous": [3, 4]}
    assert {name: part.tolist() for name, part in collector.sets.items()} == {"test": [1, 2], "new": [3, 4]}
    assert len(Collector(LAYOUT, None).scores) == 0


def test_suspicion_ranks_where_it_is_given():
    collector = Collector(LAYOUT, None)
    pixels = np.zeros((2, 1, 4, 4), np.uint8)
    rows = collector.add(["a", "b"], np.array([1.0, 2.0]), pixels, suspicion=np.array([9.0, 0.0]))
    assert [(one.name, one.score, one.suspicion) for one in collector.kept()] == [("a", 1.0, 9.0), ("b", 2.0, 0.0)]
    assert rows == {0: 0, 1: 1}
