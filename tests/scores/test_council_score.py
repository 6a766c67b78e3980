"""The council's score against each member's tail worked out apart, for each way to combine them."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from amiss.contracts import Scorer, WorkError
from amiss.objectives.tails import bandwidth, log_tails
from amiss.scores.council import CouncilScorer, Fisher, Minimum, Stouffer


class Moment(Scorer):
    """Mean of a power of the pixels."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power

    def forward(self, x: Tensor) -> Tensor:
        return (x**self.power).flatten(1).mean(1)


class Rough(Moment):
    exportable = False
    differentiable = False


def reference() -> Tensor:
    torch.manual_seed(0)
    normal = torch.rand(60, 1, 4, 4, dtype=torch.float64)
    return torch.stack([Moment(p)(normal) for p in (1, 2, 3)])


def council(combine: Fisher | Stouffer | Minimum) -> CouncilScorer:
    r = reference()
    return CouncilScorer([Moment(p) for p in (1, 2, 3)], combine, r, torch.stack([bandwidth(row) for row in r]))


def images() -> Tensor:
    torch.manual_seed(1)
    return (
        torch.rand(8, 1, 4, 4, dtype=torch.float64)
        * torch.linspace(0.2, 1, 8, dtype=torch.float64)[:, None, None, None]
    )


def tails(x: Tensor) -> list[list[float]]:
    """p of each member and image."""
    return [log_tails(Moment(i + 1)(x), r, bandwidth(r))[0].exp().tolist() for i, r in enumerate(reference())]


@pytest.mark.parametrize(
    ("combine", "oracle"),
    [
        (Fisher(), lambda p: stats.combine_pvalues(p, method="fisher").statistic),
        (Stouffer(), lambda p: stats.combine_pvalues(p, method="stouffer").statistic),
        (Minimum(), lambda p: -math.log(stats.combine_pvalues(p, method="tippett").statistic)),
    ],
)
def test_combinations_are_those_of_independent_tests(combine: Fisher | Stouffer | Minimum, oracle) -> None:
    x = images()
    expected = [oracle(list(p)) for p in zip(*tails(x), strict=True)]
    found = council(combine)(x)
    torch.testing.assert_close(found.tolist(), expected, rtol=1e-9, atol=1e-12)
    assert found.std() > 0.1


def test_terms_name_each_members_score_and_surprise() -> None:
    x = images()
    terms = council(Fisher()).terms(x)
    assert list(terms) == ["score", *(f"member.{i}" for i in (1, 2, 3)), *(f"surprise.{i}" for i in (1, 2, 3))]
    torch.testing.assert_close(terms["member.2"], Moment(2)(x))
    torch.testing.assert_close(terms["surprise.3"].neg().exp().tolist(), tails(x)[2], rtol=1e-12, atol=0)
    torch.testing.assert_close(terms["score"], 2 * sum(terms[f"surprise.{i}"] for i in (1, 2, 3)))


def test_units_of_the_members_do_not_matter() -> None:
    class Scaled(Moment):
        def forward(self, x: Tensor) -> Tensor:
            return 1e4 * super().forward(x) - 7

    r = reference()
    scaled = 1e4 * r[0] - 7
    width = torch.stack([bandwidth(scaled), bandwidth(r[1])])
    other = CouncilScorer([Scaled(1), Moment(2)], Fisher(), torch.stack([scaled, r[1]]), width)
    same = CouncilScorer([Moment(1), Moment(2)], Fisher(), r[:2], torch.stack([bandwidth(r[0]), bandwidth(r[1])]))
    torch.testing.assert_close(other(images()), same(images()), rtol=1e-9, atol=0)


def test_declares_what_its_members_can() -> None:
    r = reference()[:2]
    fine, rough = council(Fisher()), CouncilScorer([Moment(1), Rough(2)], Fisher(), r, torch.ones(2))
    assert (fine.exportable, fine.differentiable) == (True, True)
    assert (rough.exportable, rough.differentiable) == (False, False)


@pytest.mark.parametrize("combine", [Fisher(), Stouffer(), Minimum()])
def test_exports_with_any_batch(combine: Fisher | Stouffer | Minimum) -> None:
    scorer, x = council(combine), images()
    program = torch.export.export(scorer, (x[:4],), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    for n in (1, 8):
        torch.testing.assert_close(program(x[:n]), scorer(x[:n]), rtol=1e-12, atol=0)


def test_before_the_fit_it_says_so() -> None:
    unfitted = CouncilScorer([Moment(1)], Fisher(), torch.zeros(1, 0), torch.ones(1))
    with pytest.raises(WorkError, match="council is not fitted"):
        unfitted(images())
