"""Images as rows of raw pixels, and a bounded memory of them: what the classical methods share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amiss.contracts import ImageSpec, WorkError

CHUNK = 1024
"""Rows of a reference that are converted to float64 at a time."""


def row_length(spec: ImageSpec, side: int) -> int:
    """Values in the row of one image: channels * min(height, side) * min(width, side)."""
    return spec.channels * min(spec.height, side) * min(spec.width, side)


def rows(x: Tensor, side: int) -> Tensor:
    """Flatten images (B, C, H, W) to rows (B, D), after averaging any side longer than `side` pixels down to it."""
    height, width = x.shape[-2:]
    small = min(height, side), min(width, side)
    if height % small[0] == 0 and width % small[1] == 0:
        x = F.avg_pool2d(x, (height // small[0], width // small[1])) if small != (height, width) else x
    else:
        x = F.adaptive_avg_pool2d(x, small)
    return x.flatten(1)


def unrows(values: Tensor, x: Tensor, side: int) -> Tensor:
    """Spread rows (B, D), such as differences of rows, over the pixels that `rows` averaged of x: (B, C, H, W)."""
    height, width = x.shape[-2:]
    small = values.to(x.dtype).view(-1, x.shape[1], min(height, side), min(width, side))
    return small if small.shape == x.shape else F.interpolate(small, size=(height, width), mode="nearest-exact")


def widest(device: torch.device) -> torch.dtype:
    """float64, in which scikit-learn works; float32 on MPS, which has nothing wider."""
    return torch.float32 if device.type == "mps" else torch.float64


def wide(x: Tensor) -> Tensor:
    """Convert to the widest type of the tensor's device."""
    return x.to(widest(x.device))


def wide_like(x: Tensor, values: np.ndarray | float) -> Tensor:
    """Values as a tensor of their shape, on the device of x, in its widest type."""
    return torch.tensor(values, dtype=widest(x.device), device=x.device)


def squared_distances(x: Tensor, reference: Tensor) -> Tensor:
    """Squared Euclidean distances (B, N) of rows (B, D) to the reference (N, D), in the widest type whatever comes in.

    A product of matrices keeps memory at (B, N). It cancels to about 1e-16 |x|^2, which float32 could not afford.
    """
    x = wide(x)
    parts = []
    for part in torch.split(reference, CHUNK):
        r = wide(part)
        parts.append(torch.addmm(r.square().sum(1), x, r.T, alpha=-2))
    return torch.cat(parts, 1) + x.square().sum(1, keepdim=True)


def require_fitted(buffer: Tensor, name: str) -> None:
    """Raise WorkError where a data-sized buffer still has length 0."""
    if len(buffer) == 0:
        raise WorkError(
            f"{name} is not fitted: run its phases on normal images, or load a fitted model, before scoring"
        )


class PixelMemory(nn.Module):
    """The first `limit` rows that it is shown; in the engine's seeded shuffle these are a seeded random subset."""

    store: Tensor  # (capacity, D), in the type of what came in
    count: Tensor  # () int64, rows of the store in use

    def __init__(self, limit: int, length: int) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("store", torch.zeros(0, length))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def add(self, rows: Tensor) -> None:
        """Keep rows (B, D) while there is room; capacity doubles, so that no row is copied with every batch."""
        start = int(self.count)
        rows = rows[: self.limit - start]
        end = start + len(rows)
        if end > len(self.store):
            grown = rows.new_zeros(min(self.limit, 2 * end), rows.shape[1])
            grown[:start] = self.store[:start]
            self.store = grown
        self.store[start:end] = rows
        self.count += len(rows)

    def take(self) -> Tensor:
        """Hand over the kept rows (N, D) and forget them, so that they do not outlive the fit that needs them."""
        taken = self.store[: int(self.count)].clone()
        self.store = taken.new_zeros(0, taken.shape[1])
        self.count.zero_()
        return taken
