"""The false-alarm rate over many redraws, from both sides: an off-by-one threshold misses it by ten errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.calibration.conformal import Calibration, allowed

REDRAWS, NEW = 4000, 50


def observed(n: int, fpr: float, by_p_value: bool) -> tuple[float, float]:
    """Mean false-alarm rate over independent redraws of calibration and new normals, and its standard error."""
    rng = np.random.default_rng(n)
    rates = np.empty(REDRAWS)
    for i in range(REDRAWS):
        calibration = Calibration(rng.uniform(size=n), fpr)
        new = rng.uniform(size=NEW)
        rates[i] = (calibration.p_value(new) <= fpr if by_p_value else calibration.predict(new)).mean()
    return float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(REDRAWS))


@pytest.mark.parametrize(("n", "fpr"), [(19, 0.05), (39, 0.05), (99, 0.01), (59, 0.05)])
@pytest.mark.parametrize("by_p_value", [False, True])
def test_mean_false_alarm_rate_is_the_promised_one(n: int, fpr: float, by_p_value: bool) -> None:
    m = allowed(fpr, n)
    # uniform scores fall into the gap above s_(k) once in n + 1, and half of the time below its midpoint
    expected = m / (n + 1) if by_p_value or m == 1 else (m - 0.5) / (n + 1)
    mean, error = observed(n, fpr, by_p_value)
    assert error < 0.1 / (n + 1)
    assert abs(mean - expected) < 3 * error + 1e-5


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
