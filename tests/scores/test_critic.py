"""The critic's score is its value on the signed image."""

from __future__ import annotations

import torch

from amiss.contracts import ImageSpec
from amiss.nets.dcgan import PoolingCritic
from amiss.scores.critic import CriticScorer


def test_the_score_is_the_critics_value_and_keeps_its_sign() -> None:
    torch.manual_seed(0)
    critic = PoolingCritic(ImageSpec(1, 28, 28), 1 / 64).double()
    x = torch.rand(4, 1, 28, 28, dtype=torch.float64)
    scorer = CriticScorer(critic)
    torch.testing.assert_close(scorer(x), critic(2 * x - 1), rtol=0, atol=0)
    assert scorer(x).std() > 0
    assert list(scorer.terms(x)) == list(scorer.weights) == ["score"]
    with torch.no_grad():
        critic.last.bias += 1
        assert torch.allclose(scorer(x), critic(2 * x - 1))
