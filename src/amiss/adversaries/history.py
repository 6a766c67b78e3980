"""A generator's own history as the source of anomalies (Chatillon and Ballester, 2020, Sections 3.2 and 4.3).

States of the generator are kept at moments that cut the density of Eq. 13 into equal masses, so that drawing a kept
state evenly is drawing a time from that density, and memory is bounded whatever the length of training.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, expm1, log1p

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Decay:
    """The density over training time that falls as exp(-beta t) from alpha to end, and is zero before.  (Eq. 13)"""

    alpha: float
    beta: float
    end: float

    def weight(self, t: float) -> float:
        """The density at t, as a share of that at alpha, so that no beta underflows at once."""
        return exp(-self.beta * (t - self.alpha)) if self.alpha <= t <= self.end else 0.0

    def mass(self, t: float) -> float:
        """The share of the density before t, from 0 to 1."""
        span, since = self.end - self.alpha, min(max(t, self.alpha), self.end) - self.alpha
        return since / span if self.beta == 0 else expm1(-self.beta * since) / expm1(-self.beta * span)

    def quantile(self, share: float) -> float:
        """The time before which a share of the mass lies, 0 <= share < 1."""
        span = self.end - self.alpha
        since = share * span if self.beta == 0 else -log1p(share * expm1(-self.beta * span)) / self.beta
        return self.alpha + since

    def moments(self, n: int) -> list[float]:
        """The medians of n parts of equal mass, ascending."""
        return [self.quantile((i + 0.5) / n) for i in range(n)]


class WeightAverage(nn.Module):
    """The weighted average of all states of a net that it was shown, kept online and exact.  (Eq. 14)"""

    total: Tensor  # () sum of the weights so far

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        for mean in self.net.parameters():
            mean.zero_()
        self.register_buffer("total", torch.zeros(()))

    @torch.no_grad()
    def add(self, net: nn.Module, weight: float) -> None:
        """Take the parameters of a net in, with a weight of at least 0; a weight of 0 changes nothing."""
        if weight == 0:
            return
        self.total += weight
        for mean, now in zip(self.net.parameters(), net.parameters(), strict=True):
            mean.add_((now - mean) * (weight / self.total))


class History(nn.Module):
    """At most `keep` states of a generator, of equal mass each under a decaying density."""

    states: Tensor  # (kept, values): all parameters and buffers of a state in one row; length 0 before training

    def __init__(self, generator: nn.Module, density: Decay, keep: int) -> None:
        super().__init__()
        self.moments = density.moments(keep)
        self.register_buffer("states", torch.zeros(0, sum(v.numel() for _, v in _memory(generator))))

    @torch.no_grad()
    def record(self, generator: nn.Module, t: float) -> None:
        """Keep the generator's present state once for every moment up to time t for which none is kept yet."""
        due = sum(moment <= t for moment in self.moments) - len(self.states)
        if due > 0:
            row = torch.cat([value.flatten() for _, value in _memory(generator)])
            self.states = torch.cat([self.states, row.expand(due, -1)])

    @torch.no_grad()
    def sample(self, generator: nn.Module, z: Tensor, few: int) -> Tensor:
        """Images (B, ...) made from latent codes z (B, d) by `few` of the kept states, drawn evenly, in equal parts.

        generator: lends its architecture, and must be in eval mode: only the running statistics of a state belong to
        it, and batch statistics would cancel the scale of z. Raises ValueError otherwise, and before a state is kept.
        """
        if generator.training:
            raise ValueError("states of a generator are sampled in eval mode: call generator.eval() first")
        if not len(self.states):
            raise ValueError("no state of the generator is kept yet: there is no history to sample")
        chosen = torch.randperm(len(self.states), device=z.device)[:few]
        parts = z.tensor_split(len(chosen))
        return torch.cat([self._state(generator, i, part) for i, part in zip(chosen, parts, strict=True)])

    def _state(self, generator: nn.Module, i: Tensor, z: Tensor) -> Tensor:
        named = list(_memory(generator))
        values = torch.split(self.states[i], [value.numel() for _, value in named])
        state = {name: value.view(like.shape) for (name, like), value in zip(named, values, strict=True)}
        return functional_call(generator, state, (z,))


def _memory(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by name, but for counters, which eval mode does not read."""
    for name, value in (*net.named_parameters(), *net.named_buffers()):
        if value.is_floating_point():
            yield name, value


def widened(z: Tensor, scale: float) -> Tensor:
    """Latent codes (B, d) of which every second one is multiplied by scale: the paper's experimental case 2."""
    factors = z.new_ones(len(z))
    factors[1::2] = scale
    return z * factors[:, None]
