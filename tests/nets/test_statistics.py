"""Held statistics of batch normalisation."""

from __future__ import annotations

import torch
from torch import nn

from amiss.nets.statistics import held_statistics


def test_statistics_are_held_and_used_and_the_mode_comes_back() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    net(torch.randn(50, 3, dtype=torch.float64))
    mean, count = net[1].running_mean.clone(), net[1].num_batches_tracked.clone()
    x = torch.randn(5, 3, dtype=torch.float64)
    with held_statistics(net):
        apart = torch.cat([net(row) for row in x.split(1)])  # no image depends on the others
        together = net(x)
    torch.testing.assert_close(apart, together, rtol=1e-12, atol=1e-12)
    assert torch.equal(net[1].running_mean, mean)
    assert net[1].num_batches_tracked == count
    assert net.training
    assert net[1].training
    together.sum().backward()
    assert net[0].weight.grad.abs().sum() > 0
