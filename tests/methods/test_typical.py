"""The two-sided score: squared standard deviations from the usual score, on held-out normals."""

from __future__ import annotations

import pytest
import torch
from hybrids import SPEC, Walk, fitted, held_out, images

from amiss.catalog import load
from amiss.contracts import InputError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.typical import Typical


def test_score_is_the_squared_distance_from_held_out_scores() -> None:
    scorer, _ = fitted(Typical(KNN(k=2)))
    plain, _ = fitted(KNN(k=2))
    reference, s = plain(held_out()).double(), plain(images(12)).double()
    expected = ((s - reference.mean()) / reference.std(correction=0)).square()
    torch.testing.assert_close(scorer(images(12)).double(), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 1


def test_an_image_that_is_too_normal_is_as_anomalous_as_one_that_is_not() -> None:
    scorer, learner = fitted(Typical(KNN(k=1)))
    moments = learner.moments
    mean, std = moments.mean.item(), moments.std.item()
    training_image = learner.members.each[0].fitted.reference[:1].reshape(1, 1, 6, 6)  # its own nearest neighbour
    assert scorer(training_image).item() == pytest.approx((mean / std) ** 2, rel=1e-5)
    assert scorer(training_image) > scorer(held_out()).max()


def test_terms_are_the_members_and_a() -> None:
    scorer, _ = fitted(Typical(KNN(k=2)))
    assert list(scorer.terms(images(4))) == ["score", "A"]
    assert scorer.weights == {"A": 1.0}
    plain, _ = fitted(KNN(k=2))
    torch.testing.assert_close(scorer.terms(images(4))["score"], plain(images(4)))


def test_settings() -> None:
    hp = load("typical")
    assert hp == Typical(GradCon())
    assert Typical(Walk(semi=True)).semi_supervised
    assert Typical(Walk()).learner(SPEC).held_out
    with pytest.raises(InputError, match="normal images only"):
        Typical(KNN()).learner(SPEC, known=torch.rand(2, 1, 6, 6))
