"""Negative pairs for a critic: a known or made anomaly beside what the autoencoder makes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from amiss.adversaries.latents import Cube, Scaled, Shell
from amiss.contracts import InputError

Map = Callable[[Tensor], Tensor]


class Negatives(ABC):
    """Turns a part of each batch into negative pairs, from some point of training on."""

    portion: float
    start: float
    replaces: bool
    """Whether they take the place of normal images, and are averaged with these; else they have a mean of their own."""
    asks_known: bool
    """Whether known anomalies must be given."""

    @abstractmethod
    def __call__(self, x: Tensor, encode: Map, decode: Map, known: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """First and second images of negative pairs, as many as there are images x (n, C, H, W) to spend.

        encode, decode: to codes (n, d) and back, with weights that gradients reach and statistics that are held.
        known: anomalies (N, C, H, W), if any.
        The second is None where it is to be the reconstruction of the first.
        """

    def count(self, batch: int, elapsed: float) -> int:
        """How many of the images of a batch are spent at this share of training."""
        most = batch - 1 if self.replaces else batch  # at least one normal image stays
        return min(most, max(1, round(self.portion * batch))) if elapsed >= self.start else 0


def _check(part: Negatives) -> None:
    for name in ("portion", "start"):
        value = getattr(part, name)
        if not 0 <= value <= 1 or (name == "portion" and value == 0):
            raise InputError(f"{type(part).__name__} was given {name}={value}: it must be a share from 0 to 1")


@dataclass(frozen=True)
class Decoded(Negatives):
    """(x, G(z)) with an atypical code z, as in the paper."""

    latents: Shell | Cube | Scaled = Shell()
    """Where atypical codes are drawn."""
    portion: float = 0.1
    """Negative pairs as a share of the batch."""
    start: float = 0.5
    """Share of training after which there are negative pairs."""
    replaces = False
    asks_known = False

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, x: Tensor, encode: Map, decode: Map, known: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Gradients reach the generator."""
        return x, decode(self.latents(encode(x).detach()))


@dataclass(frozen=True)
class Reconstructed(Negatives):
    """(G(z), G(E(G(z)))) with an atypical code z, in the place of normal images, as in the authors' code."""

    latents: Shell | Cube | Scaled = Scaled()
    """Where atypical codes are drawn."""
    portion: float = 0.1
    """Negative pairs as a share of the batch."""
    start: float = 0.1
    """Share of training after which there are negative pairs."""
    replaces = True
    asks_known = False

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, x: Tensor, encode: Map, decode: Map, known: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Gradients reach the autoencoder through the second image alone."""
        with torch.no_grad():
            return decode(self.latents(encode(x))), None


@dataclass(frozen=True)
class Known(Negatives):
    """(a, G(E(a))) with a known anomaly a: the semi-supervised case."""

    portion: float = 0.25
    """Negative pairs as a share of the batch."""
    start: float = 0.1
    """Share of training after which there are negative pairs."""
    replaces = False
    asks_known = True

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, x: Tensor, encode: Map, decode: Map, known: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Draw anomalies with replacement."""
        if known is None:
            raise ValueError("known anomalies were asked for, and none are there")
        return known[torch.randint(len(known), (len(x),), device=known.device)].to(x), None
