"""The paper's one-dimensional toy (Fig. 3): D_TV is V-shaped around the data, which the history surrounds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import history_toy  # the figure's own script


@pytest.fixture(scope="module")
def measures() -> dict[str, float]:
    name = "share of training"
    return history_toy.run(0, {name: history_toy.READINGS[name]}, keep=50)[name].measures()


def test_the_detector_is_v_shaped(measures: dict[str, float]) -> None:
    assert measures["D_TV at 0"] < -0.9
    assert measures["D_TV at -4"] > 0.5
    assert measures["D_TV at 4"] > 0.5


def test_the_history_covers_the_data(measures: dict[str, float]) -> None:
    assert measures["data inside the history's range"] >= 0.99


def test_values_keep_to_the_bound(measures: dict[str, float]) -> None:
    assert measures["mass beyond the bound"] <= 0.01
