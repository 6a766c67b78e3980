"""The ensemble: runs that differ in everything random, and the mean of their standardised scores."""

from __future__ import annotations

import pytest
import torch
from hybrids import SPEC, Walk, fitted, held_out, images

from amiss.catalog import load
from amiss.contracts import ImageSpec, InputError
from amiss.methods.ensemble import Ensemble, EnsembleLearner
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN


def test_scores_of_held_out_normals_have_mean_0_and_deviation_1_by_run() -> None:
    scorer, learner = fitted(Ensemble(Walk(), runs=4))
    assert isinstance(learner, EnsembleLearner)
    terms = scorer.terms(held_out())
    assert list(terms) == ["member.1", "member.2", "member.3", "member.4"]
    for z in terms.values():
        torch.testing.assert_close(z.mean(), torch.tensor(0.0), rtol=0, atol=1e-4)
        torch.testing.assert_close(z.std(), torch.tensor(1.0), rtol=1e-4, atol=0)


def test_score_is_the_mean_over_runs() -> None:
    scorer, learner = fitted(Ensemble(Walk(), runs=3))
    x = images(10)
    expected = []
    for run in learner.members.each:
        s, reference = run.scorer()(x), run.scorer()(held_out())
        expected.append((s - reference.mean()) / reference.std())
    torch.testing.assert_close(scorer(x), sum(expected) / 3, rtol=1e-4, atol=1e-4)
    assert scorer(x).std() > 0


def test_runs_start_from_other_weights_and_see_other_draws() -> None:
    torch.manual_seed(0)
    learner = Ensemble(GradCon()).learner(ImageSpec(1, 16, 16))
    first, second, third = (next(run.ae.parameters()) for run in learner.members.each)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    _, walked = fitted(Ensemble(Walk(), runs=2))
    one, two = (run.path for run in walked.members.each)
    assert not torch.equal(one, two)


def test_each_run_is_selected_alone() -> None:
    _, learner = fitted(Ensemble(Walk(), runs=3))
    for run in learner.members.each:
        assert torch.equal(run.w, run.path[-1])  # all of its memory is that of one epoch
        assert len(run.path) == run.tracked
        assert run.w.square().sum() <= run.path[-int(run.tracked) // 2 :].square().sum(1).min() + 1e-6
    assert min(len(run.path) for run in learner.members.each) < 12  # not always the last epoch


def test_constant_scores_do_not_divide_by_zero() -> None:
    learner = Ensemble(KNN(), runs=2).learner(SPEC)
    learner.standardise(torch.tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]))
    assert learner.deviation[0] > 0
    torch.testing.assert_close(learner.deviation[1], torch.tensor(1.0))
    torch.testing.assert_close(learner.mean, torch.tensor([2.0, 2.0]))


def test_default_is_three_runs_of_gradcon() -> None:
    hp = load("ensemble")
    assert hp == Ensemble(GradCon(), runs=3)
    assert Ensemble(Walk(semi=True)).semi_supervised
    assert not hp.semi_supervised


def test_bad_settings_and_known_anomalies_are_refused() -> None:
    with pytest.raises(InputError, match="runs"):
        Ensemble(runs=0)
    with pytest.raises(InputError, match="normal images only"):
        Ensemble(KNN()).learner(SPEC, known=torch.rand(2, 1, 6, 6))
