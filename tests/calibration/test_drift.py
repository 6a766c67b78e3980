from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from amiss.calibration.drift import MOST, drift
from amiss.contracts import InputError

few = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


def distance(a: list[float], b: list[float]) -> Fraction:
    """The largest difference of the empirical distribution functions, straight from its definition."""
    return max(
        abs(Fraction(sum(v <= x for v in a), len(a)) - Fraction(sum(v <= x for v in b), len(b))) for x in (*a, *b)
    )


def every_order(a: list[float], b: list[float]) -> list[Fraction]:
    """The distance of every division of the pooled scores into two groups of these sizes."""
    pooled = a + b
    found = []
    for chosen in combinations(range(len(pooled)), len(a)):
        rest = [v for i, v in enumerate(pooled) if i not in chosen]
        found.append(distance([pooled[i] for i in chosen], rest))
    return found


@given(few, few)
@settings(max_examples=60, deadline=None)
def test_the_p_value_is_the_share_of_all_orders_ties_included(a: list[float], b: list[float]) -> None:
    found = drift(a, b)
    orders, own = every_order(a, b), distance(a, b)
    assert found.statistic == pytest.approx(float(own), rel=1e-12)
    assert found.p_value == pytest.approx(sum(d >= own for d in orders) / len(orders), rel=1e-9)


@pytest.mark.parametrize("tied", [False, True])
def test_it_is_level_where_nothing_has_changed(tied: bool) -> None:
    """Over all orders of the pooled scores, each as likely as any other: P(p <= a) <= a, and equal at what p can be."""
    pooled = [0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0] if tied else [float(i) for i in range(9)]
    p_values = []
    for chosen in combinations(range(9), 5):
        rest = [v for i, v in enumerate(pooled) if i not in chosen]
        p_values.append(drift([pooled[i] for i in chosen], rest).p_value)
    attained = sorted(set(np.round(p_values, 9)))
    assert len(attained) > 2
    for a in attained:
        assert np.mean(np.array(p_values) <= a + 1e-9) == pytest.approx(a, abs=1e-8)


def test_it_agrees_with_scipy_without_ties() -> None:
    rng = np.random.default_rng(0)
    for n, m, shift in ((7, 40, 0.0), (60, 60, 0.5), (200, 150, 1.0)):
        a, b = rng.normal(size=n), rng.normal(shift, size=m)
        found, scipy = drift(a, b), ks_2samp(a, b, method="exact")
        assert found.statistic == pytest.approx(scipy.statistic, rel=1e-12)
        assert found.p_value == pytest.approx(scipy.pvalue, rel=1e-6)


def test_the_smallest_p_values_keep_their_digits() -> None:
    """Two samples that do not overlap: two of all the orders are so far apart."""
    found = drift(np.arange(30.0), np.arange(100.0, 130.0))
    assert found.statistic == 1
    assert found.p_value == pytest.approx(2 / comb(60, 30), rel=1e-9)
    assert 0 < drift(np.arange(600.0), np.arange(1000.0, 1600.0)).p_value < 1e-300


@pytest.mark.parametrize("change", [lambda s: s + 0.4, lambda s: s - 0.4, lambda s: 1.6 * s])
def test_it_finds_images_that_have_changed(change: object) -> None:
    rng = np.random.default_rng(1)
    calibration, recent = rng.normal(size=300), rng.normal(size=400)
    assert callable(change)
    assert drift(calibration, recent).p_value > 0.05
    assert drift(calibration, change(recent)).p_value < 0.001


def test_the_usual_test_against_uniformity_would_not_be_level() -> None:
    """Why it is a two-sample test: few calibration images, many recent ones, nothing changed."""
    rng = np.random.default_rng(2)
    samples = [(rng.normal(size=20), rng.normal(size=500)) for _ in range(60)]
    exact = np.mean([drift(a, b).p_value <= 0.05 for a, b in samples])
    naive = np.mean([_naive(a, b) <= 0.05 for a, b in samples])
    assert exact <= 0.15
    assert naive > 0.5


def _naive(calibration: np.ndarray, recent: np.ndarray) -> float:
    from scipy.stats import kstest

    above = (calibration[:, None] >= recent).sum(0)
    return float(kstest((1 + above) / (len(calibration) + 1), "uniform").pvalue)


def test_of_very_many_scores_a_draw_is_tested_and_the_seed_repeats_it() -> None:
    rng = np.random.default_rng(3)
    calibration, recent = rng.normal(size=50), rng.normal(size=3 * MOST)
    found = drift(calibration, recent, seed=4)
    assert found == drift(calibration, recent, seed=4)
    assert found != drift(calibration, recent, seed=5)
    assert found.n == 3 * MOST
    assert found.p_value > 0.001


def test_equal_scores_and_order_say_nothing() -> None:
    assert drift([2.0] * 5, [2.0] * 7).p_value == 1
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=12), rng.normal(size=9)
    assert drift(a, b) == drift(a[::-1], np.sort(b))
    assert drift(a, b).p_value == pytest.approx(drift(np.exp(a), np.exp(b)).p_value, rel=1e-12)


@pytest.mark.parametrize(
    ("calibration", "recent", "sentence"),
    [
        ([], [1.0], "there are no calibration scores"),
        ([1.0], [], "there are no recent scores"),
        ([1.0], [np.nan], "recent scores hold nan"),
        ([[1.0]], [1.0], "calibration scores have shape"),
    ],
)
def test_what_cannot_be_tested_is_refused(calibration: list[float], recent: list[float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        drift(calibration, recent)
