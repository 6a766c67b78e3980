"""Batch normalisation with the statistics that training has gathered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def held_statistics(*modules: nn.Module) -> Iterator[None]:
    """Run modules that train as in eval mode: no batch moves their statistics, and gradients reach their weights."""
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module in modules:
            module.train()
