"""The mean of standardised scores against NumPy's words for it."""

from __future__ import annotations

import torch
from torch import Tensor

from amiss.contracts import Scorer
from amiss.scores.mean import MeanScorer


class Pixel(Scorer):
    """One pixel."""

    def __init__(self, at: int, *, exportable: bool = True) -> None:
        super().__init__()
        self.at, self.exportable = at, exportable

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, self.at]


def test_mean_of_scores_in_units_of_their_deviation() -> None:
    mean, deviation = torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, 4.0]).double()
    scorer = MeanScorer([Pixel(0), Pixel(3)], mean, deviation)
    x = torch.rand(6, 1, 2, 2, dtype=torch.float64)
    for image, score, first, second in zip(x, scorer(x), *scorer.terms(x).values(), strict=True):
        a, b = (image[0, 0, 0] - 1) / 0.5, (image[0, 1, 1] + 2) / 4
        torch.testing.assert_close(torch.stack([first, second, score]), torch.stack([a, b, (a + b) / 2]))
    assert scorer.weights == {"member.1": 0.5, "member.2": 0.5}
    assert scorer(x).std() > 0


def test_exports_only_if_every_member_does() -> None:
    one = torch.ones(2)
    assert MeanScorer([Pixel(0), Pixel(1)], one, one).exportable
    assert not MeanScorer([Pixel(0), Pixel(1, exportable=False)], one, one).exportable
