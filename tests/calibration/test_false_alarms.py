"""The false-alarm rate over many redraws, from both sides: an off-by-one threshold misses it by ten errors."""

from __future__ import annotations

import numpy as np
import pytest

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
