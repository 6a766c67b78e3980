"""The council: reference scores of held-out normals, and a score that is its members' alone."""

from __future__ import annotations

import pytest
import torch
from hybrids import SPEC, TRAIN, Walk, fitted, held_out, images

from amiss.catalog import from_settings, load, to_settings
from amiss.contracts import InputError
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.methods.council import Council, CouncilLearner
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.objectives.tails import bandwidth, log_tails
from amiss.scores.council import Fisher, Minimum, Stouffer

CHEAP = Council(members=(KNN(k=2), PCA(components=3)))


def test_references_are_each_members_sorted_scores_of_held_out_normals() -> None:
    scorer, learner = fitted(CHEAP)
    assert isinstance(learner, CouncilLearner)
    terms = scorer.terms(held_out())
    for i, (reference, width) in enumerate(zip(learner.reference, learner.width, strict=True), start=1):
        torch.testing.assert_close(reference, terms[f"member.{i}"].sort().values, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(width, bandwidth(terms[f"member.{i}"]), rtol=1e-4, atol=0)
        assert reference.std() > 0


@pytest.mark.parametrize("combination", [Fisher(), Stouffer(), Minimum()])
def test_score_combines_members_that_were_fitted_alone(combination: Fisher | Stouffer | Minimum) -> None:
    scorer, learner = fitted(Council(members=CHEAP.members, combination=combination))
    x = images(20)
    tails = []
    for member, reference, width in zip(CHEAP.members, learner.reference, learner.width, strict=True):
        alone = fit(member, SPEC, TRAIN, runtime=Runtime("cpu", seed=0)).scorer
        tails.append(log_tails(alone(x), reference, width))
    log_p, log_q = (torch.stack(logs) for logs in zip(*tails, strict=True))
    torch.testing.assert_close(scorer(x), combination(log_p, log_q), rtol=1e-3, atol=1e-3)
    assert scorer(x)[10:].min() > scorer(x)[:10].max()


def test_references_are_thinned_evenly() -> None:
    learner = CHEAP.learner(SPEC)
    scores = torch.stack([torch.arange(3000.0), -torch.arange(3000.0)])[:, torch.randperm(3000)]
    learner.refer(scores)
    assert learner.reference.shape == (2, 1000)
    assert torch.equal(learner.reference[0], torch.arange(1.0, 3000, 3))
    assert (learner.reference.diff(dim=1) > 0).all()
    torch.testing.assert_close(learner.width[0], bandwidth(scores[0]))
    learner.refer(scores[:, :1000])
    assert torch.equal(learner.reference, scores[:, :1000].sort(1).values)


def test_a_member_may_be_semi_supervised() -> None:
    hp = Council(members=(KNN(), Walk(semi=True)))
    known = torch.rand(2, 1, 6, 6)
    assert hp.semi_supervised
    assert not CHEAP.semi_supervised
    assert hp.learner(SPEC, known).members.each[1].known is known
    with pytest.raises(InputError, match="normal images only"):
        CHEAP.learner(SPEC, known)


def test_watches_each_members_codes() -> None:
    learner = Council(members=(Walk(), KNN(), Walk())).learner(SPEC)
    assert list(learner.vitals(images(4))) == ["1.latent", "3.latent"]
    assert learner.held_out


def test_default_members_and_json() -> None:
    hp = load("council")
    assert isinstance(hp, Council)
    assert hp.members == (GradCon(), KNN(), PCA())
    assert hp.combination == Fisher()
    nested = Council(members=(Council(members=(KNN(k=3),), combination=Stouffer()), PCA()), combination=Minimum())
    assert from_settings(to_settings(nested)) == nested


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="at least one method"):
        Council(members=())
    with pytest.raises(InputError, match="reference"):
        Council(reference=1)
