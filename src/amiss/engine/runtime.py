"""Where and how the work runs: device, precision, and every random choice derived from one seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from amiss.contracts import InputError

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Runtime:
    """Device, precision of training, and seed; none of them is known to a method."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Precision = "float32"
    """Precision of the training step's matrix products; scores are always taken in float32."""
    seed: int = 0
    """Seed of the initial weights, the order of images and every draw."""

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise InputError(f"precision {self.precision!r} is unknown: use {' or '.join(get_args(Precision))}")

    def resolve(self) -> torch.device:
        """Return the device; raises InputError for one that this machine does not have."""
        has_mps = torch.backends.mps.is_available()
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise InputError(f"unknown device {self.device!r}: use auto, cpu, cuda, cuda:N or mps") from error
        present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": has_mps}
        if not present.get(device.type, False):
            raise InputError(f"device {self.device!r} is not available here: use auto or cpu")
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise InputError(f"device {self.device!r} is not available here: there are {torch.cuda.device_count()}")
        return device

    def autocast(self) -> torch.autocast:
        """Context in which a training step runs."""
        return torch.autocast(self.resolve().type, torch.bfloat16, enabled=self.precision == "bfloat16")


def derive(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose, from the run's seed and the purpose's name."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def order(n: int, seed: int, phase: int, epoch: int) -> np.ndarray:
    """The order (n,) in which an epoch visits n images; it depends on nothing that ran before."""
    return np.random.default_rng(derive(seed, "order", phase, epoch)).permutation(n)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run with torch's generators seeded, and give the caller's random state back afterwards."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def place(module: nn.Module, device: torch.device) -> None:
    """Move a module to the device, its kernels channels last in memory, which is what convolutions run fastest on."""
    if device.type == "mps":
        module.float()  # this device has no float64
    module.to(device)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)


WORKSPACE = 31 << 20
"""Bytes; glibc learns from freed blocks of up to 32 MB."""


def keep_workspace() -> None:
    """Let the C library keep what a batch frees, instead of handing it back and faulting it in anew for the next.

    glibc keeps up to twice the largest block that was ever mapped and freed, so one such block is enough; elsewhere
    this does nothing. Without it a sixth of GradCon's scoring time goes into page faults.
    """
    torch.empty(WORKSPACE, dtype=torch.uint8)
