from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from amiss.contracts import InputError
from amiss.evaluation.metrics import (
    Positive,
    Threshold,
    aupr_in,
    aupr_out,
    auroc,
    auroc_interval,
    best_f1_threshold,
    f1,
    fpr_at_tpr,
    histogram_overlap,
)

Sample = tuple[NDArray[np.float64], NDArray[np.int64]]
value = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e6, 1e6))
POSITIVE: list[Positive] = ["anomaly", "normal"]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Scores with many ties and labels of both classes."""
    rows = draw(st.lists(st.tuples(value, st.integers(0, 1)), min_size=0, max_size=60))
    rows += [(draw(value), 0), (draw(value), 1)]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows])


def turned(sample: Sample, positive: Positive) -> Sample:
    """Scores and labels as scikit-learn takes them: positive is 1 and scores high."""
    s, y = sample
    return (s, y) if positive == "anomaly" else (-s, 1 - y)


@given(sample=samples())
def test_areas_equal_scikit_learns(sample: Sample) -> None:
    s, y = sample
    np.testing.assert_allclose(auroc(s, y), roc_auc_score(y, s), rtol=0, atol=1e-12)
    np.testing.assert_allclose(aupr_out(s, y), average_precision_score(y, s), rtol=0, atol=1e-12)
    np.testing.assert_allclose(aupr_in(s, y), average_precision_score(1 - y, -s), rtol=0, atol=1e-12)


def test_areas_equal_scikit_learns_on_a_large_sample_that_varies() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(5000) < 0.3).astype(np.int64)
    s = np.round(rng.normal(size=5000) + 0.7 * y, 2)
    assert abs(auroc(s, y) - roc_auc_score(y, s)) < 1e-12
    assert abs(aupr_out(s, y) - average_precision_score(y, s)) < 1e-12
    assert abs(aupr_in(s, y) - average_precision_score(1 - y, -s)) < 1e-12
    assert len({round(m(s, y), 3) for m in (auroc, aupr_in, aupr_out)}) == 3


@given(sample=samples(), tpr=st.one_of(st.sampled_from([0.95, 0.5, 1.0]), st.floats(0.01, 1)))
@pytest.mark.parametrize("positive", POSITIVE)
def test_fpr_at_tpr_is_the_smallest_of_the_roc_curve(positive: Positive, sample: Sample, tpr: float) -> None:
    s, y = turned(sample, positive)
    fpr, reached, _ = roc_curve(y, s, drop_intermediate=False)
    expected = fpr[reached >= tpr].min()
    assert abs(fpr_at_tpr(*sample, tpr=tpr, positive=positive) - expected) < 1e-12


@given(sample=samples(), cut=value)
@pytest.mark.parametrize("positive", POSITIVE)
def test_f1_equals_scikit_learns_and_names_its_terms(positive: Positive, sample: Sample, cut: float) -> None:
    s, y = sample
    called = (s > cut).astype(int)
    expected = f1_score(y, called, pos_label=1 if positive == "anomaly" else 0, zero_division=0)
    threshold = Threshold(cut, "given")
    found = f1(s, y, threshold=threshold, positive=positive)
    assert abs(found.value - expected) < 1e-12
    assert (found.positive, found.threshold) == (positive, threshold)


@given(sample=samples())
@pytest.mark.parametrize("positive", POSITIVE)
def test_best_f1_threshold_is_beaten_by_no_other(positive: Positive, sample: Sample) -> None:
    s, y = sample
    best = best_f1_threshold(s, y, positive=positive)
    reached = f1(s, y, threshold=best, positive=positive).value
    cuts = [*s, np.nextafter(s.min(), -np.inf)]
    tried = max(f1(s, y, threshold=Threshold(float(c), "tried"), positive=positive).value for c in cuts)
    assert abs(reached - tried) < 1e-12
    assert positive in best.rule
    assert str(len(s)) in best.rule


@given(sample=samples(), bins=st.integers(1, 20))
def test_histogram_overlap_counts_bin_by_bin(sample: Sample, bins: int) -> None:
    s, y = sample
    s = np.round(np.clip(s, -100, 100))
    low, high = s.min(), s.max()
    edges = np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 0.5, high + 0.5, bins + 1)
    shared = 0
    for i in range(bins):
        inside = (s >= edges[i]) & ((s < edges[i + 1]) | (i == bins - 1))
        shared += min((inside & (y == 0)).sum(), (inside & (y == 1)).sum())
    assert histogram_overlap(s, y, bins=bins) == pytest.approx(100 * shared / len(s), abs=1e-9)


def test_histogram_overlap_runs_from_nothing_to_half() -> None:
    y = np.repeat([0, 1], 50)
    assert histogram_overlap(np.r_[np.arange(50.0), np.arange(50.0)], y) == 50
    assert histogram_overlap(np.r_[np.zeros(50), np.ones(50)], y) == 0


def test_interval_is_that_of_a_slow_bootstrap() -> None:
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], [60, 40])
    s = np.round(rng.normal(size=100) + 0.8 * y, 1)
    slow = []
    for _ in range(4000):
        normal, anomalous = rng.choice(s[:60], 60), rng.choice(s[60:], 40)
        slow.append(((1 + np.sign(anomalous - normal[:, None])) / 2).mean())
    interval = auroc_interval(s, y, seed=0, level=0.9, resamples=4000)
    expected = np.quantile(slow, [0.05, 0.95])
    error = 4 * np.sqrt(2) * np.std(slow) * np.sqrt(0.05 * 0.95 / 4000) / 0.103  # normal density at that quantile
    np.testing.assert_allclose([interval.low, interval.high], expected, rtol=0, atol=error)
    assert interval.high - interval.low > 8 * error
    assert (interval.level, interval.resamples) == (0.9, 4000)


def test_interval_follows_its_seed_and_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], 100)
    s = rng.normal(size=200) + y
    first = auroc_interval(s, y, seed=0)
    assert first == auroc_interval(s, y, seed=0)
    assert first != auroc_interval(s, y, seed=1)
    assert first.low < auroc(s, y) < first.high
    monkeypatch.setattr("amiss.evaluation.metrics.CHUNK", 200 * 7)
    chunked = auroc_interval(s, y, seed=0)
    assert abs(chunked.low - first.low) < 0.02
    assert chunked.resamples == 1000


@settings(max_examples=20)
@given(seed=st.integers(0, 100))
def test_interval_of_perfect_separation_is_one(seed: int) -> None:
    interval = auroc_interval([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1], seed=seed, resamples=50)
    assert (interval.low, interval.high) == (1, 1)


Metric = Callable[[object, object], object]
METRICS: list[Metric] = [
    auroc,
    aupr_in,
    aupr_out,
    histogram_overlap,
    lambda s, y: fpr_at_tpr(s, y, tpr=0.95, positive="anomaly"),
    lambda s, y: f1(s, y, threshold=Threshold(0.5, "given"), positive="anomaly"),
    lambda s, y: best_f1_threshold(s, y, positive="normal"),
    lambda s, y: auroc_interval(s, y, seed=0),
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("scores", "labels", "says"),
    [
        ([0.0, np.nan], [0, 1], "nan at index 1"),
        ([np.inf, 0.0], [0, 1], "inf at index 0"),
        ([0.0, 1.0], [0, 0], "2 normal and 0 anomalous"),
        ([0.0, 1.0], [1, 1], "0 normal and 2 anomalous"),
        ([], [], "0 normal and 0 anomalous"),
        ([0.0, 1.0], [0, 2], "label 1 is"),
        ([0.0, 1.0], [0, 1, 1], "must be equal"),
        ([[0.0, 1.0]], [[0, 1]], "shape"),
    ],
)
def test_bad_input_is_named(
    metric: Callable[[object, object], object], scores: object, labels: object, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        metric(scores, labels)


def test_bad_options_are_named() -> None:
    s, y = [0.0, 1.0], [0, 1]
    with pytest.raises(InputError, match="tpr=0"):
        fpr_at_tpr(s, y, tpr=0.0, positive="anomaly")
    with pytest.raises(InputError, match="'anomaly' or 'normal'"):
        fpr_at_tpr(s, y, tpr=0.5, positive="inlier")
    with pytest.raises(InputError, match="'anomaly' or 'normal'"):
        f1(s, y, threshold=Threshold(0.5, "given"), positive="inlier")
    with pytest.raises(InputError, match="bins=0"):
        histogram_overlap(s, y, bins=0)
    with pytest.raises(InputError, match="level=1"):
        auroc_interval(s, y, seed=0, level=1.0)
    with pytest.raises(InputError, match="not a number"):
        Threshold(float("nan"), "given")
