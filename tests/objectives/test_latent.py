"""What ARAE's adversary raises, against double loops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amiss.contracts import ImageSpec
from amiss.nets.mlp_autoencoder import SigmoidMLP
from amiss.objectives.latent import LatentShift, ReconstructionError, mean_square, sum_square

SPEC = ImageSpec(2, 3, 4)


def problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    ae = SigmoidMLP(breadth=1 / 32)(SPEC).double()
    return ae, torch.rand(5, 2, 3, 4, dtype=torch.float64), torch.rand(5, 2, 3, 4, dtype=torch.float64)


def test_errors_are_sums_and_means_over_the_values_of_each_image() -> None:
    _, a, b = problem()
    slow = torch.zeros(5, dtype=torch.float64)
    for i in range(5):
        for u, v in zip(a[i].flatten(), b[i].flatten(), strict=True):
            slow[i] += (u - v) ** 2
    torch.testing.assert_close(sum_square(a, b), slow, rtol=1e-12, atol=0)
    torch.testing.assert_close(mean_square(a, b), slow / 24, rtol=1e-12, atol=0)
    assert slow.std() > 0
    assert sum_square(a[:0], b[:0]).shape == mean_square(a[:0], b[:0]).shape == (0,)


def test_the_latent_shift_is_measured_from_the_clean_code() -> None:
    ae, x, v = problem()
    found = LatentShift().objective(LatentShift().net(ae), x)(v)
    codes = [(ae.encoder(v[i : i + 1])[0], ae.encoder(x[i : i + 1])[0]) for i in range(5)]
    slow = torch.stack([sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) / len(pair[0]) for pair in codes])
    torch.testing.assert_close(found, slow, rtol=1e-9, atol=0)
    assert slow.std() > 0


def test_the_reconstruction_error_is_measured_from_the_clean_image() -> None:
    ae, x, v = problem()
    found = ReconstructionError().objective(ReconstructionError().net(ae), x)(v)
    slow = torch.stack([(ae(v[i : i + 1])[0] - x[i]).square().mean() for i in range(5)])
    torch.testing.assert_close(found, slow, rtol=1e-9, atol=0)
    assert not torch.allclose(found, mean_square(ae(v), v), rtol=1e-3)


def test_the_clean_code_is_worked_out_once() -> None:
    ae, x, v = problem()
    calls = []
    ae.encoder.register_forward_hook(lambda *_: calls.append(1))
    objective = LatentShift().objective(ae.encoder, x)
    for _ in range(3):
        objective(v)
    assert len(calls) == 4


@pytest.mark.parametrize("target", [LatentShift(), ReconstructionError()])
def test_targets_are_equal_by_their_kind(target) -> None:
    assert target == type(target)()
