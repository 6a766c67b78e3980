"""The graph of a decision says what calibration says, exactly; needs torch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amiss.calibration.conformal import Calibration
from amiss.contracts import Scorer
from amiss.explain.residual import residual
from amiss.export.graph import Decision, calibration_grid, reaching
from amiss.objectives.gradients import gradient_cosines
from amiss.objectives.reconstruction import SquaredError
from amiss.scores.mean import MeanScorer
from amiss.scores.reconstruction import ReconstructionScorer

FEW = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)  # few values, many ties
EDGE = np.nextafter(0.25, 1)


class Mean(Scorer):
    """The mean brightness."""

    def forward(self, x):
        return x.flatten(1).mean(1)


class Shift(torch.nn.Module):
    """Reconstructs an image as itself, somewhat darker."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x - self.by


@given(calibration=FEW, scores=FEW)
def test_scores_that_are_reached_are_counted(calibration, scores):
    known = np.sort(calibration)
    found = reaching(torch.tensor(scores, dtype=torch.float64), torch.from_numpy(calibration_grid(known)), len(known))
    assert found.tolist() == [sum(c >= s for c in calibration) for s in scores]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 15, 16, 17, 1000])
def test_every_place_in_a_long_calibration_is_found(n):
    known = np.sort(np.random.default_rng(n).normal(size=n))
    between = np.concatenate([[-np.inf], (known[:-1] + known[1:]) / 2, [np.inf], known])
    found = reaching(torch.from_numpy(between), torch.from_numpy(calibration_grid(known)), n)
    assert found.tolist() == (n - np.searchsorted(known, between)).tolist()


def test_no_number_is_reached_by_no_score():
    grid = torch.from_numpy(calibration_grid(np.arange(5.0)))
    assert reaching(torch.tensor([torch.nan], dtype=torch.float64), grid, 5).tolist() == [0]


@given(
    calibration=st.lists(st.floats(0, 1, width=32), min_size=19, max_size=60),
    scores=st.lists(st.floats(0, 1, width=32), max_size=9),
    fpr=st.sampled_from([0.05, 0.2, None]),
)
def test_p_values_and_labels_are_those_of_calibration(calibration, scores, fpr):
    known = Calibration(np.array(calibration), fpr)
    given_scores = np.array([*scores, *calibration, known.threshold or 0.5], np.float32)  # ties, and the threshold
    x = torch.from_numpy(given_scores)[:, None, None, None]
    decision = Decision(Mean(), known, maps=True)
    found = dict(zip(decision.names, decision(x), strict=True))
    assert found["pred_score"].dtype == found["p_value"].dtype == torch.float64
    assert np.array_equal(found["pred_score"].numpy(), given_scores.astype(np.float64))
    assert np.array_equal(found["p_value"].numpy(), known.p_value(found["pred_score"].numpy()))
    assert ("pred_label" in found) == (fpr is not None)
    if fpr is not None:
        assert found["pred_label"].dtype == torch.int64
        assert np.array_equal(found["pred_label"].numpy(), known.predict(found["pred_score"].numpy()))


@pytest.mark.parametrize(("threshold", "label"), [(0.25, 0), (EDGE, 0), (np.nextafter(0.25, 0), 1)])
def test_the_threshold_is_compared_in_float64(threshold, label):
    decision = Decision(Mean(), Calibration(np.zeros(3), None, float(threshold)), maps=True)
    assert decision(torch.full((1, 1, 2, 2), 0.25))[-1].tolist() == [label]


def test_an_image_that_holds_no_number_is_anomalous():
    decision = Decision(Mean(), Calibration(np.arange(19.0), 0.05), maps=True)
    found = dict(zip(decision.names, decision(torch.full((1, 1, 2, 2), torch.nan)), strict=True))
    assert (found["pred_label"].item(), found["p_value"].item()) == (1, 1 / 20)


def test_without_calibration_there_are_scores_alone():
    assert Decision(Mean(), Calibration(np.empty(0)), maps=True).names == ["pred_score"]


@pytest.mark.parametrize(("depth", "top"), [(torch.uint8, 255), (torch.uint16, 65535), (torch.float32, 1)])
def test_full_white_is_one_in_every_depth(depth, top):
    decision = Decision(Mean(), Calibration(np.empty(0)), maps=True)
    assert decision(torch.full((2, 1, 3, 3), top).to(depth))[0].tolist() == [1.0, 1.0]


def test_maps_are_those_of_the_explanation():
    single = ReconstructionScorer(Shift(0.25), SquaredError())
    several = MeanScorer([single, ReconstructionScorer(Shift(0.5), SquaredError())], torch.zeros(2), torch.ones(2))
    x = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    for scorer in (single, several):
        decision = Decision(scorer, Calibration(np.empty(0)), maps=True)
        assert decision.names == ["pred_score", "anomaly_map"]
        found = decision(x)[1]
        assert found.shape == (3, 4, 5)
        torch.testing.assert_close(found, residual(scorer, x), rtol=1e-6, atol=0)
    assert found.mean().item() == pytest.approx((0.25**2 + 0.5**2) / 2)


@pytest.mark.parametrize(
    ("kernel", "stride", "sides"), [(4, 2, (9, 5)), (3, 2, (4, 7)), (5, 2, (3, 3)), (6, 3, (4, 5)), (4, 1, (6, 3))]
)
@pytest.mark.parametrize("channels", [(6, 1), (3, 20)])  # a short row of patches, and one that is taken at once
def test_gradients_without_strides_are_the_same(monkeypatch, kernel, stride, sides, channels):
    torch.manual_seed(0)
    layer = torch.nn.ConvTranspose2d(*channels, kernel, stride, padding=1)
    decoder = torch.nn.Sequential(layer, torch.nn.Sigmoid()).double()
    code = torch.rand(3, channels[0], *sides, dtype=torch.float64)
    x = torch.rand_like(decoder(code))
    reference = [torch.randn_like(layer.weight)]
    wanted = gradient_cosines(decoder, code, x, SquaredError(), reference)[1][0]
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    found = gradient_cosines(decoder, code, x, SquaredError(), reference)[1][0]
    assert wanted.abs().max() > 1e-2
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
