"""Negative pairs: how many, from when on, of what, and whom their gradients reach."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from amiss.adversaries.latents import Scaled, Shell
from amiss.adversaries.negatives import Decoded, Known, Reconstructed
from amiss.contracts import InputError


def maps() -> tuple[nn.Module, nn.Module, Tensor]:
    torch.manual_seed(0)
    encode = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    decode = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4))).double()
    return encode, decode, torch.rand(5, 1, 4, 4, dtype=torch.float64)


def test_how_many_and_from_when_on() -> None:
    part = Decoded(portion=0.1, start=0.5)
    assert [part.count(32, elapsed) for elapsed in (0.0, 0.49, 0.5, 1.0)] == [0, 0, 3, 3]
    assert part.count(4, 0.5) == 1
    assert Decoded(portion=1.0, start=0.0).count(32, 0.0) == 32
    assert Reconstructed(portion=1.0, start=0.0).count(32, 0.0) == 31  # the rest are normal images
    assert (Decoded().count(1, 0.5), Reconstructed().count(1, 0.5)) == (1, 0)


def test_the_papers_pair_is_an_image_beside_a_decoded_code_and_teaches_the_generator() -> None:
    encode, decode, x = maps()
    torch.manual_seed(2)
    one, two = Decoded(Shell(-0.5))(x, encode, decode, None)
    torch.manual_seed(2)
    expected = decode(Shell(-0.5)(encode(x)))
    assert torch.equal(one, x)
    assert two is not None
    torch.testing.assert_close(two, expected)
    two.sum().backward()
    assert decode[0].weight.grad.abs().sum() > 0
    assert encode[1].weight.grad is None


def test_the_codes_pair_starts_from_a_made_image_which_is_a_constant() -> None:
    encode, decode, x = maps()
    torch.manual_seed(2)
    one, two = Reconstructed()(x, encode, decode, None)
    torch.manual_seed(2)
    torch.testing.assert_close(one, decode(Scaled()(encode(x))).detach())
    assert two is None
    assert not one.requires_grad
    assert Reconstructed().replaces
    assert not Decoded().replaces
    assert not Known().replaces


def test_known_anomalies_are_drawn_with_replacement() -> None:
    encode, decode, x = maps()
    known = torch.arange(3.0)[:, None, None, None].expand(3, 1, 4, 4)
    one, two = Known()(x.repeat(20, 1, 1, 1), encode, decode, known)
    assert two is None
    assert one.dtype == torch.float64
    assert set(one[:, 0, 0, 0].tolist()) == {0.0, 1.0, 2.0}
    assert [part.asks_known for part in (Known(), Decoded(), Reconstructed())] == [True, False, False]
    with pytest.raises(ValueError, match="none are there"):
        Known()(x, encode, decode, None)


@pytest.mark.parametrize("part", [Decoded, Reconstructed, Known])
@pytest.mark.parametrize("bad", [{"portion": 0.0}, {"portion": 1.5}, {"start": -0.1}, {"start": float("nan")}])
def test_shares_out_of_range_are_refused(part, bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        part(**bad)
