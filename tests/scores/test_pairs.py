"""R against a loop over images and features."""

from __future__ import annotations

import pytest
import torch

from amiss.nets.sngan import Critic, Generator, encoder, frame
from amiss.objectives.mirrored import second, stacked
from amiss.scores.pairs import PairScorer


def scorer(view, channels: int) -> PairScorer:
    torch.manual_seed(0)
    parts = encoder(1, 1 / 64, 4, 8), Generator(1, 1 / 64, 4, 8), Critic(channels, 1 / 64, 4)
    return PairScorer(*parts, view).double().eval()


@pytest.mark.parametrize(("view", "channels"), [(stacked, 2), (second, 1)])
def test_terms_by_a_loop(view, channels: int) -> None:
    made = scorer(view, channels)
    x = torch.rand(4, 1, 28, 28, dtype=torch.float64)
    terms = made.terms(x)
    assert list(terms) == ["R", "pixel", "tv"]
    assert torch.equal(made(x), terms["R"])
    for i in range(4):
        image = frame(x[i : i + 1])
        copy = made.generator(made.encoder(image))
        one, two = made.critic.features(view(image, image))[0], made.critic.features(view(image, copy))[0]
        distance = sum(abs(a - b) for a, b in zip(one.tolist(), two.tolist(), strict=True))
        assert terms["R"][i].item() == pytest.approx(distance, rel=1e-9)
        inside = (copy[0, :, 2:30, 2:30] + 1) / 2 - x[i]
        assert terms["pixel"][i].item() == pytest.approx(inside.square().mean().item(), rel=1e-9)
    assert all(term.std() > 0 for term in terms.values())


def test_r_is_zero_where_the_reconstruction_is_perfect() -> None:
    made = scorer(stacked, 2)
    made.encoder, made.generator = torch.nn.Identity(), torch.nn.Identity()
    terms = made.terms(torch.rand(3, 1, 28, 28, dtype=torch.float64))
    assert terms["R"].abs().max() == 0
    assert terms["pixel"].abs().max() < 1e-30
