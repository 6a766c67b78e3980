"""Weight averaging: the mean over the last epochs of the last phase, kept as it goes."""

from __future__ import annotations

import pytest
import torch
from hybrids import SPEC, Walk, fitted, held_out

from amiss.catalog import load
from amiss.contracts import InputError
from amiss.methods.averaged import Averaged, AveragedLearner
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN


@pytest.mark.parametrize(("start", "epochs"), [(0.0, 6), (0.5, 3), (0.8, 2), (0.99, 1), (1.0, 1)])
def test_weights_are_the_mean_over_the_last_epochs_of_the_last_phase(start: float, epochs: int) -> None:
    scorer, learner = fitted(Averaged(Walk(epochs=6), start=start))
    assert isinstance(learner, AveragedLearner)
    path = learner.members.each[0].path
    assert path.shape == (12, 2)  # two phases, none of them cut short by a selection
    torch.testing.assert_close(scorer.w.data, path[-epochs:].mean(0), rtol=1e-6, atol=1e-6)
    assert path[-6:].std(0).min() > 0.1


def test_whole_numbers_and_what_grows_are_the_newest() -> None:
    scorer, learner = fitted(Averaged(Walk(epochs=4)))
    assert scorer.tracked == 8
    assert torch.equal(scorer.path, learner.members.each[0].path)


def test_before_the_average_begins_the_scorer_is_that_of_the_newest_epoch() -> None:
    heights: list[float] = []
    _, learner = fitted(
        Averaged(Walk(epochs=4), start=1.0), on_epoch=lambda scorer: heights.append(scorer.w[0].item()) or 0.0
    )
    torch.testing.assert_close(torch.tensor(heights), learner.members.each[0].path[:, 0])


def test_no_epoch_is_selected() -> None:
    learner = Averaged(Walk()).learner(SPEC)
    learner.members.running = 0
    assert learner.criterion(held_out()) is None
    assert learner.held_out  # a phase of the member may ask for them
    assert not Averaged(KNN()).learner(SPEC).held_out


def test_what_is_fitted_after_an_epoch_is_in_the_average() -> None:
    scorer, _ = fitted(Averaged(KNN(k=2)))
    plain, _ = fitted(KNN(k=2))
    torch.testing.assert_close(scorer(held_out()), plain(held_out()))


def test_the_average_does_not_train() -> None:
    learner = Averaged(GradCon()).learner(SPEC.__class__(1, 16, 16))
    assert not any(p.requires_grad for p in learner.average.parameters())
    assert all(p is not q for p in learner.average.parameters() for q in learner.members.parameters())


def test_settings() -> None:
    assert load("averaged") == Averaged(GradCon(), start=0.5)
    assert Averaged(Walk(semi=True)).semi_supervised
    with pytest.raises(InputError, match="start"):
        Averaged(start=1.5)
    with pytest.raises(InputError, match="normal images only"):
        Averaged(KNN()).learner(SPEC, known=torch.rand(2, 1, 6, 6))
