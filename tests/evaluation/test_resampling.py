from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from amiss.contracts import InputError
from amiss.evaluation.metrics import aupr_out, auroc, auroc_interval
from amiss.evaluation.resampling import bootstrap, share


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.9, 0.95])
)
def test_shares_have_the_exact_interval(counts: tuple[int, int], level: float) -> None:
    part, whole = counts
    found = share(part, whole, level=level)
    expected = binomtest(part, whole).proportion_ci(level, method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.rate <= found.high


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3, 0.5])
def test_it_holds_the_rate_at_least_as_often_as_it_says(rate: float) -> None:
    n = 60
    held = [k for k in range(n + 1) if share(k, n).low <= rate <= share(k, n).high]
    assert binom.pmf(held, n, rate).sum() >= 0.95


@pytest.mark.parametrize(("part", "whole", "level"), [(-1, 5, 0.9), (6, 5, 0.9), (0, 0, 0.9), (1, 2, 1.0), (1, 2, 0.0)])
def test_what_is_no_share_is_refused(part: int, whole: int, level: float) -> None:
    with pytest.raises(InputError, match="is no share"):
        share(part, whole, level=level)


def labelled(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [n // 2, n - n // 2])
    return rng.normal(size=n) + labels, labels


def test_the_interval_of_the_auroc_is_the_vectorised_one() -> None:
    scores, labels = labelled(0)
    slow = bootstrap(lambda i: auroc(scores[i], labels[i]), labels, seed=1, resamples=4000)
    fast = auroc_interval(scores, labels, seed=2, resamples=4000)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.01)


def test_numbers_of_both_classes_stay_and_the_seed_repeats() -> None:
    scores, labels = labelled(3)
    seen: list[int] = []

    def measure(index: np.ndarray) -> float:
        seen.append(int(labels[index].sum()))
        return aupr_out(scores[index], labels[index])

    first = bootstrap(measure, labels, seed=4, resamples=50)
    assert set(seen) == {60}
    assert first == bootstrap(measure, labels, seed=4, resamples=50)
    assert first != bootstrap(measure, labels, seed=5, resamples=50)
    assert first.low < aupr_out(scores, labels) < first.high


def test_a_difference_on_the_same_images_is_paired() -> None:
    """Two scores that differ a little are told apart, which two intervals apart would not do."""
    scores, labels = labelled(6, 300)
    better = scores + 0.1 * labels
    paired = bootstrap(lambda i: auroc(better[i], labels[i]) - auroc(scores[i], labels[i]), labels, seed=7)
    assert paired.low > 0
    alone = [auroc_interval(s, labels, seed=7) for s in (scores, better)]
    assert alone[0].high > alone[1].low
    same = bootstrap(lambda i: auroc(scores[i], labels[i]) - auroc(2 * scores[i], labels[i]), labels, seed=7)
    assert (same.low, same.high) == (0, 0)


def test_one_class_or_an_impossible_level_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 of each"):
        bootstrap(lambda i: 0.0, [0, 0], seed=0)
    with pytest.raises(InputError, match="the level must lie in"):
        bootstrap(lambda i: 0.0, [0, 1], seed=0, level=1)
