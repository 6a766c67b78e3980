"""Scoring in micro-batches is scoring."""

import numpy as np
import pytest
import torch
from lines import SPEC, LineScorer, numbered
from torch import nn

from amiss.contracts import Scorer
from amiss.data.images import Images
from amiss.engine import scoring
from amiss.engine.scoring import device_of, score_images, score_terms


@pytest.fixture
def scorer():
    torch.manual_seed(0)
    return LineScorer(nn.Linear(SPEC.pixels, SPEC.pixels)).eval()


def test_scores_are_those_of_a_direct_call(scorer):
    images = numbered(150)
    found = score_images(scorer, images)
    assert found.shape == (150,)
    assert found.dtype == np.float64
    with torch.no_grad():
        wanted = scorer(images.take(np.arange(150))).double().numpy()
    assert np.ptp(wanted) > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_the_micro_batch_makes_no_difference(scorer, monkeypatch, size):
    scorer, images = scorer.double(), numbered(150)
    monkeypatch.setattr(scoring, "batch", lambda images, index, device: images.take(index).double())
    whole = score_images(scorer, images)
    monkeypatch.setattr(scoring, "MICRO_BATCH", size)
    np.testing.assert_allclose(score_images(scorer, images), whole, rtol=1e-12)


class Parts(Scorer):
    def __init__(self):
        super().__init__()
        self.sizes = []
        self.weights = {"mean": 1.0, "top": 2.0}

    def terms(self, x):
        self.sizes.append(len(x))
        assert not torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        return {"mean": x.flatten(1).mean(1), "top": x.flatten(1).amax(1)}

    def forward(self, x):
        return self.terms(x)["mean"] + 2 * self.terms(x)["top"]


def test_terms_come_by_name():
    images, scorer = numbered(150), Parts()
    found = score_terms(scorer, images)
    assert scorer.sizes == [64, 64, 22]
    x = images.take(np.arange(150)).numpy().reshape(150, -1)
    np.testing.assert_allclose(found["mean"], x.mean(1), rtol=1e-6)
    np.testing.assert_array_equal(found["top"], x.max(1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_are_scored_in_the_unit_range(dtype):
    top = np.iinfo(dtype).max
    images = Images(np.array([0, 51 * (top // 255), top], dtype)[:, None, None, None] * np.ones((1, 1, 2, 2), dtype))
    np.testing.assert_allclose(score_terms(Parts(), images)["mean"], [0, 0.2, 1], rtol=1e-6)


def test_progress_counts_images(scorer):
    told = []
    score_images(scorer, numbered(150), lambda *event: told.append(event))
    assert told == [("scoring", 64, 150, ""), ("scoring", 128, 150, ""), ("scoring", 150, 150, "")]


def test_a_scorer_without_memory_lies_on_the_cpu(scorer):
    assert device_of(Parts()) == torch.device("cpu")
    assert device_of(scorer.to("meta")) == torch.device("meta")


def test_no_images_have_no_scores(scorer):
    assert score_images(scorer, numbered(0)).shape == (0,)
