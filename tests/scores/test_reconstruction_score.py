"""The reconstruction error as a score."""

from __future__ import annotations

import torch
from torch import nn

from amiss.objectives.reconstruction import SquaredError
from amiss.scores.reconstruction import ReconstructionScorer


def test_the_score_is_the_error_of_each_image() -> None:
    torch.manual_seed(0)
    net = nn.Conv2d(2, 2, 3, padding=1).double()
    scorer = ReconstructionScorer(net, SquaredError())
    x = torch.rand(4, 2, 5, 6, dtype=torch.float64)
    slow = torch.stack([((net(x[i : i + 1])[0] - x[i]) ** 2).sum() / 60 for i in range(4)])
    torch.testing.assert_close(scorer(x), slow, rtol=1e-12, atol=0)
    assert slow.std() > 0
    assert list(scorer.terms(x)) == ["recon"]
    assert torch.equal(scorer.terms(x)["recon"], scorer(x))
    assert scorer.weights == {"recon": 1.0}
    assert scorer.exportable
    assert scorer.differentiable
