"""Descents from noise: down, within the range, repeatable, and refused where there is no slope."""

from __future__ import annotations

import pytest
import torch
from explained import SPEC, scorer_of
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Scorer
from amiss.explain.minima import minima


class Bowl(Scorer):
    """Squared distance from an image that lies partly outside the range."""

    def __init__(self, goal: Tensor) -> None:
        super().__init__()
        self.register_buffer("goal", goal)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.goal).square().sum((1, 2, 3))


def test_a_bowl_is_descended_to_its_bottom_within_the_range() -> None:
    goal = torch.linspace(-0.5, 1.5, 60).view(3, 4, 5)
    found = minima(Bowl(goal), ImageSpec(3, 4, 5), 5, steps=200)
    torch.testing.assert_close(found.images, goal.clamp(0, 1).expand(5, -1, -1, -1), rtol=0, atol=5e-3)
    torch.testing.assert_close(found.scores, Bowl(goal)(found.images))
    assert (found.scores < found.noise_scores).all()


@pytest.mark.parametrize("name", ["gradcon", "ae", "pca", "knn"])
def test_scores_fall_and_each_descent_is_its_own(name: str) -> None:
    scorer = scorer_of(name).float()
    found = minima(scorer, SPEC, 3, steps=15)
    assert (found.scores < found.noise_scores).all()
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    with torch.no_grad():
        torch.testing.assert_close(scorer(found.images), found.scores, rtol=1e-4, atol=1e-6)
    assert not found.images.requires_grad
    fewer = minima(scorer, SPEC, 2, steps=15)
    torch.testing.assert_close(fewer.noise_scores, found.noise_scores[:2], rtol=1e-4, atol=1e-6)
    assert not torch.equal(found.images[0], found.images[1])
    other = minima(scorer, SPEC, 2, steps=15, seed=1)
    assert not torch.allclose(other.noise_scores, fewer.noise_scores, rtol=1e-6, atol=0)


def test_what_cannot_be_descended_is_refused() -> None:
    class Flat(Bowl):
        differentiable = False

    scorer = Bowl(torch.zeros(1, 2, 2))
    with pytest.raises(InputError, match="Flat has no minima to descend to"):
        minima(Flat(torch.zeros(1)), ImageSpec(1, 2, 2))
    for n, steps in ((0, 5), (5, 0)):
        with pytest.raises(InputError, match=f"{n} descents of {steps} steps"):
            minima(scorer, ImageSpec(1, 2, 2), n, steps=steps)
