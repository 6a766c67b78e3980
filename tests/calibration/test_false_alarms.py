"""The false-alarm rate over many redraws, from both sides: a threshold at the midpoint misses it by five errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.calibration.conformal import Calibration, allowed

REDRAWS, NEW = 4000, 100


@pytest.mark.parametrize(
    ("n", "fpr"), [(3, 0.5), (9, 0.2), (19, 0.05), (39, 0.05), (59, 0.05), (99, 0.01), (99, 0.05), (199, 0.01)]
)
def test_mean_false_alarm_rate_is_the_promised_one(n: int, fpr: float) -> None:
    rng = np.random.default_rng(n)
    rates = np.empty((REDRAWS, 2))
    for i in range(REDRAWS):
        calibration, new = Calibration(rng.exponential(size=n), fpr), rng.exponential(size=NEW)
        rates[i] = calibration.predict(new).mean(), (calibration.p_value(new) <= fpr).mean()
    error = rates.std(axis=0, ddof=1) / np.sqrt(REDRAWS)  # redraws are independent here
    assert (error > 0).all()
    assert (error < 0.1 / (n + 1)).all()
    assert (np.abs(rates.mean(axis=0) - allowed(fpr, n) / (n + 1)) < 3 * error).all()


@given(
    groups=st.integers(2, 12), g=st.integers(1, 6), fpr=st.sampled_from([0.05, 0.1, 0.3, 0.5]), seed=st.integers(0, 999)
)
def test_bound_for_groups_holds_with_each_group_as_the_new_one(groups: int, g: int, fpr: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = (groups - 1) * g
    m = allowed(fpr, n)
    if m == 0:
        return
    pool = rng.normal(size=(groups, 1)) * 3 + np.round(rng.normal(size=(groups, g)), 1)  # alike within a group
    flagged = [Calibration(np.delete(pool, i, axis=0).ravel(), fpr).predict(pool[i]).mean() for i in range(groups)]
    assert np.mean(flagged) <= (m + g - 1) / (n + g) + 1e-12
