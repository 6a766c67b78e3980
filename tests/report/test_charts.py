"""Charts show the numbers that they were given."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.evaluation.metrics import aupr_out, auroc
from amiss.report.charts import Group, histogram, losses, precision_recall, roc
from amiss.report.drawing import Axis, Drawing

RNG = np.random.default_rng(0)
NORMAL, ANOMALOUS = RNG.normal(0, 1, 300).round(1), RNG.normal(1.5, 1, 120).round(1)


def points(chart, kind):
    line = re.search(rf'<polyline class="{kind}" points="([^"]*)"', chart.svg)
    return np.array([[float(x) for x in pair.split(",")] for pair in line[1].split()])


def unit(pixels, drawing):
    """Points in the units of axes from 0 to 1."""
    width, height = drawing.width - drawing.left - drawing.right, drawing.height - drawing.top - drawing.bottom
    return (pixels[:, 0] - drawing.left) / width, (drawing.height - drawing.bottom - pixels[:, 1]) / height


SQUARE = Drawing(280, 250, Axis(0, 1, ""), Axis(0, 1, ""))


def test_the_area_under_the_drawn_roc_curve_is_the_auroc():
    expected = auroc(np.concatenate([NORMAL, ANOMALOUS]), np.repeat([0, 1], [300, 120]))
    chart = roc(NORMAL, ANOMALOUS, expected, 1.0)
    x, y = unit(points(chart, "curve"), SQUARE)
    assert np.trapezoid(y, x) == pytest.approx(expected, abs=2e-3)
    assert f"{expected:.4f}" in chart.summary
    assert (NORMAL > 1.0).mean() == pytest.approx(
        float(re.search(r"([\d.]+)\s% false", chart.summary)[1]) / 100, rel=5e-3
    )


def test_the_drawn_precision_is_the_average_precision():
    scores, labels = np.concatenate([NORMAL, ANOMALOUS]), np.repeat([0, 1], [300, 120])
    chart = precision_recall(NORMAL, ANOMALOUS, aupr_out(scores, labels), None)
    x, y = unit(points(chart, "curve"), SQUARE)
    assert np.sum(np.diff(x, prepend=0) * y) == pytest.approx(aupr_out(scores, labels), abs=5e-3)


def test_the_bars_of_a_histogram_add_up_and_hold_what_lies_beyond():
    scores = np.concatenate([np.linspace(0, 1, 200), [50.0]])
    chart = histogram([Group("these images", scores, "filled")], 0.9, title="Scores")
    path = re.search(r'<path class="filled" d="M([\d.]+) ([\d.]+)([^"]*)Z"', chart.svg)
    heights = float(path[2]) - np.array([float(y) for y in re.findall(r"V([\d.]+)H", path[3])])
    assert heights[-1] > 0
    assert "1 score from beyond" in chart.summary
    assert "threshold 0.9" in chart.svg
    assert f"{100 * (scores > 0.9).mean():.3g}\N{NO-BREAK SPACE}% above" in chart.summary


@pytest.mark.parametrize("scores", [[1.0], [0.0, 0.0, 0.0], [-1e308, 1e300], [5e-324, 0.0]])
@pytest.mark.parametrize("threshold", [None, 0.0, 7.0])
def test_any_scores_can_be_drawn(scores, threshold):
    groups = [Group("a", np.array(scores), "filled"), Group("none", np.empty(0), "outline")]
    chart = histogram(groups, threshold, title="Scores")
    ElementTree.fromstring(chart.svg)
    assert "nan" not in chart.svg


def test_losses_are_drawn_from_the_first_epoch_to_the_last():
    chart = losses("recon", [1, 2, 3], [3.0, 2.0, 1.0], chosen=2)
    line = points(chart, "curve")
    assert (np.diff(line[:, 1]) > 0).all()  # downwards
    assert "kept: 2" in chart.svg
    assert chart.summary == "from 3 in epoch 1 to 1 in epoch 3"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_lie_within(low, span):
    axis = Axis(low, low + span, "")
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 6
    assert all(axis.low - 1e-6 * span <= tick <= axis.high + 1e-6 * span for tick in ticks)


def test_text_is_escaped():
    drawing = Drawing(100, 100, Axis(0, 1, '<b>"'), Axis(0, 1, ""))
    drawing.upright(0.5, "threshold", "</svg><script>")
    root = ElementTree.fromstring(drawing.render('"><script>'))
    assert root.get("aria-label") == '"><script>'
    assert not [one for one in root.iter() if one.tag.endswith(("script", "b"))]
