from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from amiss.calibration.conformal import Calibration, allowed, calibration_size, needed, smallest_rate
from amiss.calibration.realised import realised_interval
from amiss.contracts import InputError

rates = st.one_of(
    st.sampled_from([0.01, 0.05, 0.1, 0.29, 0.5, 0.57, 0.99]),
    st.floats(1e-3, 1 - 1e-6),
    st.integers(2, 200).map(lambda q: 1 / q),
)
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60)
anything = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60)
scores = st.one_of(tied, anything)


@pytest.mark.parametrize(
    ("fpr", "n", "m"),
    [
        (0.01, 98, 0),
        (0.01, 99, 1),
        (0.01, 199, 2),
        (0.05, 18, 0),
        (0.05, 19, 1),
        (0.05, 1170, 58),
        (0.29, 99, 29),  # 0.29 * 100 is 28.999999999999996 in floats
        (0.57, 99, 57),
        (0.1, 29, 3),
        (0.07, 99, 7),
        (1e-5, 99_999, 1),
    ],
)
def test_allowed_is_exact_in_decimals(fpr: float, n: int, m: int) -> None:
    assert allowed(fpr, n) == m
    assert allowed(np.float64(fpr), n) == m


@given(fpr=rates)
def test_needed_is_the_smallest_number_that_allows_one(fpr: float) -> None:
    n = needed(fpr)
    assert allowed(fpr, n) >= 1
    assert n == 1 or allowed(fpr, n - 1) == 0


@given(n=st.integers(1, 100_000))
def test_smallest_rate_can_be_typed_as_printed(n: int) -> None:
    rate = smallest_rate(n)
    assert allowed(float(str(rate)), n) >= 1
    assert Fraction(rate) <= Fraction(1001, 1000) / (n + 1)


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_rates_outside_the_unit_interval_are_refused(fpr: float) -> None:
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        allowed(fpr, 100)
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        Calibration(np.arange(100.0), fpr)


@pytest.mark.parametrize(
    ("n", "fpr", "size"),
    [
        (100, 0.05, 20),
        (1000, 0.05, 200),
        (60, 0.05, 19),
        (38, 0.05, 19),
        (198, 0.01, 99),
        (5854, 0.01, 1170),
        (2, 0.5, 1),
    ],
)
def test_calibration_takes_a_fifth_or_what_the_rate_needs(n: int, fpr: float, size: int) -> None:
    assert calibration_size(n, fpr) == size


def test_scores_only_need_no_calibration() -> None:
    assert calibration_size(50, None) == 0


def test_too_few_images_name_the_smallest_rate_and_the_number_needed() -> None:
    with pytest.raises(InputError, match=r"fpr=0\.05 needs 19 calibration images.* 38 images, and 37 .* fpr=0\.05264 "):
        calibration_size(37, 0.05)
    assert calibration_size(37, 0.05264) == 18
    with pytest.raises(InputError, match=r"1 image was given: .* at least 2, and 38 for fpr=0\.05"):
        calibration_size(1, 0.05)
    with pytest.raises(InputError, match=r"fpr=0\.01 needs 99 calibration images and there are 50, .* fpr=0\.01961"):
        Calibration(np.arange(50.0), 0.01)
    with pytest.raises(InputError, match="none were kept"):
        Calibration(np.empty(0)).at(0.05)


@given(values=scores, fpr=rates)
def test_threshold_stands_just_above_the_order_statistic(values: list[float], fpr: float) -> None:
    n, m = len(values), allowed(fpr, len(values))
    if m == 0:
        with pytest.raises(InputError, match="smallest rate"):
            Calibration(np.array(values), fpr)
        return
    calibration = Calibration(np.array(values), fpr)
    threshold, tolerance = calibration.threshold, calibration.tolerance
    assert threshold is not None
    assert np.isfinite(threshold)
    kth = sorted(values)[n + 1 - m - 1]
    larger = [v for v in values if v > kth]
    assert kth <= threshold
    if larger:
        assert threshold < min(larger)
        half_gap = (Fraction(min(larger)) - Fraction(kth)) / 2
        exact = Fraction(kth) + min(Fraction(tolerance), half_gap)
        assert abs(Fraction(threshold) - exact) <= Fraction(math.ulp(max(abs(kth), abs(min(larger)))))
    elif kth < np.finfo(np.float64).max:
        assert kth < threshold


@given(n=st.integers(1, 80), fpr=rates, seed=st.integers(0, 99))
def test_without_ties_exactly_m_minus_one_calibration_scores_are_flagged(n: int, fpr: float, seed: int) -> None:
    m = allowed(fpr, n)
    if m == 0:
        return
    values = np.random.default_rng(seed).normal(size=n)
    calibration = Calibration(values, fpr)
    assert calibration.predict(values).sum() == m - 1
    assert calibration.false_alarm_rate == m / (n + 1)


@given(values=scores, fpr=rates, extra=scores)
def test_label_one_implies_a_p_value_within_the_rate(values: list[float], fpr: float, extra: list[float]) -> None:
    if allowed(fpr, len(values)) == 0:
        return
    calibration = Calibration(np.array(values), fpr)
    n, m = calibration.n, allowed(fpr, calibration.n)
    assert calibration.threshold is not None
    new = np.array([*extra, *values, calibration.threshold, math.nextafter(calibration.threshold, math.inf)])
    new = new[np.isfinite(new)]
    labels, p = calibration.predict(new), calibration.p_value(new)
    assert (p[labels == 1] <= fpr).all()
    # the other way, only scores within the tolerance above s_(k) differ; ranks, since 1/3 is no decimal
    among_m = np.rint(p * (n + 1)) <= m
    assert (new[among_m & (labels == 0)] > calibration.scores[n - m]).all()
    assert (new[among_m & (labels == 0)] <= calibration.threshold).all()


@given(values=st.sets(st.integers(-10_000, 10_000), min_size=2, max_size=60), fpr=rates)
def test_of_n_plus_one_normals_exactly_m_are_flagged_by_the_others(values: set[int], fpr: float) -> None:
    pool = np.array(sorted(values), dtype=np.float64)  # at least 1 apart, and the tolerance is below 1
    n, m = len(pool) - 1, allowed(fpr, len(pool) - 1)
    if m == 0:
        return
    others = [Calibration(np.delete(pool, i), fpr) for i in range(n + 1)]
    assert max(calibration.tolerance for calibration in others) < 0.5
    assert sum(int(calibration.predict([s])[0]) for calibration, s in zip(others, pool, strict=True)) == m


@given(values=scores, new=scores)
def test_p_values_and_percentiles_count_as_defined(values: list[float], new: list[float]) -> None:
    calibration = Calibration(np.array(values))
    n = len(values)
    p = [(1 + sum(v >= s for v in values)) / (n + 1) for s in new]
    percentile = [100 * sum(v < s for v in values) / n for s in new]
    assert calibration.p_value(new).tolist() == p
    assert calibration.normal_percentile(new).tolist() == percentile
    ordered = calibration.normal_percentile(np.sort(new))
    assert (np.diff(ordered) >= 0).all()
    assert ((ordered >= 0) & (ordered <= 100)).all()


def test_equal_scores_are_never_anomalous() -> None:
    calibration = Calibration(np.full(30, 2.5), 0.05)
    assert calibration.predict([2.5, 2.4]).tolist() == [0, 0]
    assert calibration.predict([2.6]).tolist() == [1]
    assert calibration.threshold == np.nextafter(2.5, 3)


def test_threshold_above_the_largest_adds_the_tolerance() -> None:
    values = np.arange(19.0)
    calibration = Calibration(values, 0.05)
    assert calibration.tolerance == pytest.approx(1e-5 * 9, rel=1e-12)
    assert calibration.threshold == pytest.approx(18 + 9e-5, rel=1e-15)
    mostly = Calibration(np.r_[np.zeros(18), 1.0], 0.05)
    assert mostly.tolerance == pytest.approx(1e-5 * np.r_[np.zeros(18), 1.0].std(), rel=1e-12)


@pytest.mark.parametrize(("gap", "step"), [(1.0, 1e-4), (3e-4, 1e-4), (1e-4, 5e-5), (1e-7, 5e-8)])
def test_threshold_between_two_scores_is_the_tolerance_or_half_the_gap_above_the_lower(gap: float, step: float) -> None:
    values = np.r_[np.arange(19.0), 18 + gap]  # n = 20, fpr = 0.1: m = 2, s_(k) = s_(19) = 18
    calibration = Calibration(values, 0.1)
    assert calibration.tolerance == pytest.approx(1e-4, rel=1e-12)
    assert calibration.threshold is not None
    assert calibration.threshold - 18 == pytest.approx(step, rel=1e-6)
    assert calibration.predict(values).tolist() == [0] * 19 + [1]


@pytest.mark.parametrize("m", [1, 2, 10])
def test_rounding_in_another_runtime_flips_no_calibration_image(m: int) -> None:
    values = np.random.default_rng(m).exponential(size=199)
    calibration = Calibration(values, m / 200)
    off = 0.99 * calibration.tolerance
    assert 0 < off < np.diff(calibration.scores)[-12:].min() / 2
    labels = calibration.predict(values)
    assert labels.sum() == m - 1
    for moved in (values - off, values + off):
        assert calibration.predict(moved).tolist() == labels.tolist()


@pytest.mark.parametrize("low", [1.0, -1.0, 5e-324, 3 * 5e-324, 1.7976931348623155e308, -5e-324])
def test_threshold_between_neighbouring_floats_stays_below_the_upper(low: float) -> None:
    high = float(np.nextafter(low, np.inf))
    threshold = Calibration(np.array([*[low] * 38, high]), 0.05).threshold
    assert threshold == low


def test_tolerance_and_threshold_survive_the_largest_floats() -> None:
    top = np.finfo(np.float64).max
    for values in ([top] * 19, [-top] * 10 + [top] * 9):
        threshold = Calibration(np.array(values), 0.05).threshold
        assert threshold == top


def test_deciding_anew_needs_only_the_scores() -> None:
    values = np.random.default_rng(0).normal(size=200)
    calibration = Calibration(values, 0.05)
    assert calibration.at(0.01).threshold == Calibration(values, 0.01).threshold
    assert calibration.at(0.01).threshold > calibration.threshold
    manual = calibration.with_threshold(1.0)
    assert manual.threshold == 1.0
    assert manual.predict([1.0, 1.1]).tolist() == [0, 1]
    assert manual.false_alarm_rate == (1 + (values > 1.0).sum()) / 201
    assert manual.at(0.05).threshold == calibration.threshold
    assert manual.p_value([0.3]).tolist() == calibration.p_value([0.3]).tolist()


def test_without_a_rate_there_are_scores_and_no_labels() -> None:
    calibration = Calibration(np.arange(5.0))
    assert calibration.threshold is None
    assert calibration.false_alarm_rate is None
    assert calibration.p_value([4.0]).tolist() == [2 / 6]
    with pytest.raises(InputError, match="there is no threshold"):
        calibration.predict([1.0])
    empty = Calibration(np.empty(0))
    assert empty.with_threshold(1.0).predict([2.0]).tolist() == [1]
    for method in (empty.p_value, empty.normal_percentile):
        with pytest.raises(InputError, match="no p-values"):
            method([1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_by_position(bad: float) -> None:
    with pytest.raises(InputError, match=r"calibration scores hold .* at index 1 \(1 in all\)"):
        Calibration(np.array([0.0, bad, 1.0]))
    calibration = Calibration(np.arange(40.0), 0.05)
    for method in (calibration.predict, calibration.p_value, calibration.normal_percentile):
        with pytest.raises(InputError, match="index 0"):
            method([bad])
    with pytest.raises(InputError, match="finite"):
        calibration.with_threshold(bad)
    with pytest.raises(InputError, match="shape"):
        Calibration(np.zeros((2, 2)))


def test_stored_scores_are_sorted_read_only_and_a_copy() -> None:
    given_scores = np.array([3.0, 1.0, 2.0])
    calibration = Calibration(given_scores)
    given_scores[:] = 0
    assert calibration.scores.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        calibration.scores[0] = 5
    with pytest.raises(InputError, match="give one of them"):
        Calibration(np.arange(40.0), 0.05, 3.0)


@settings(max_examples=30)
@given(fpr=st.sampled_from([0.01, 0.05, 0.2]), n=st.integers(99, 3000), level=st.sampled_from([0.5, 0.9, 0.99]))
def test_realised_interval_is_that_of_the_beta_law(fpr: float, n: int, level: float) -> None:
    m = allowed(fpr, n)
    expected = beta.ppf([(1 - level) / 2, (1 + level) / 2], m, n + 1 - m)
    np.testing.assert_allclose(realised_interval(fpr, n, level), expected, rtol=1e-8)


def test_realised_interval_refuses_what_has_no_law() -> None:
    with pytest.raises(InputError, match="must reach 1"):
        realised_interval(0.01, 50)
    with pytest.raises(InputError, match="level"):
        realised_interval(0.05, 50, 1.0)
