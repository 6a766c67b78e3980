"""Occlusion-1: what the score loses when a pixel or a patch of the image is set to black.

M. Ancona, E. Ceolini, C. Oztireli, M. Gross, "Towards better understanding of gradient-based attribution methods for
deep neural networks", 2017, https://arxiv.org/abs/1711.06104, as ARAE (Salehi et al., 2020) uses it in its Figure 6.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from amiss.contracts import InputError, Scorer
from amiss.explain.parts import batch_size, batches

Measure = Callable[[Tensor], dict[str, Tensor]]
"""Images (B, C, H, W) to quantities (B,) by name."""


def occlusion(
    scorer: Scorer, x: Tensor, patch: int = 1, *, stride: int | None = None, fill: float | Tensor = 0.0
) -> Tensor:
    """Signed change of the score, (B, H, W): score(x) - score(x with the patch filled), at the pixels of the patch.

    Positive: what stands there makes the image anomalous. x: images (B, C, H, W) in [0, 1]. patch: side of the square
    in pixels. stride: pixels from one patch to the next, `patch` if not given; where patches overlap, a pixel shows
    their mean. fill: what takes the patch's place, a value (0 is black) or images like x.
    Raises InputError unless 1 <= stride <= patch <= the image's longer side.
    """
    return occlusions(lambda y: {"score": scorer(y)}, x, patch, stride=stride, fill=fill)["score"]


@torch.no_grad()
def occlusions(
    measure: Measure, x: Tensor, patch: int = 1, *, stride: int | None = None, fill: float | Tensor = 0.0
) -> dict[str, Tensor]:
    """`occlusion` of several quantities in one sweep, by their names.

    A patch that is what it would be filled with changes nothing, and is not measured.
    """
    stride = patch if stride is None else stride
    if not 1 <= stride <= patch <= max(x.shape[-2:]):
        raise InputError(
            f"patches of {patch} pixels, {stride} apart, do not cover images of {x.shape[-2]}x{x.shape[-1]}: "
            f"accepted are 1 <= stride <= patch <= {max(x.shape[-2:])}"
        )
    blank = torch.as_tensor(fill, dtype=x.dtype, device=x.device).expand_as(x)
    down, across = (_spans(side, patch, stride, x.device) for side in x.shape[-2:])
    rows, columns = down.to(x.dtype), across.to(x.dtype)
    differs = (x != blank).any(1).to(x.dtype)
    changing = torch.einsum("rh,bhw,kw->brk", rows, differs, columns) > 0

    parts = [measure(y) for y in batches(x)]
    before = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    change = {name: value.new_zeros(changing.shape) for name, value in before.items()}
    for work in torch.split(changing.nonzero(), batch_size(x)):
        i, r, k = work.unbind(1)
        hidden = down[r][:, None, :, None] & across[k][:, None, None, :]
        after = measure(torch.where(hidden, blank[i], x[i])) if len(work) else {}
        for name, value in after.items():
            change[name][i, r, k] = before[name][i] - value
    covered = rows.sum(0)[:, None] * columns.sum(0)
    return {name: torch.einsum("rh,brk,kw->bhw", rows.to(c), c, columns.to(c)) / covered for name, c in change.items()}


def _spans(side: int, patch: int, stride: int, device: torch.device) -> Tensor:
    """Which of `side` pixels each patch covers along one axis, (patches, side) bool; the last ends with the image."""
    last = max(0, side - patch)
    starts = torch.arange(0, last + stride, stride, device=device)[:, None]
    pixels = torch.arange(side, device=device)
    return (starts <= pixels) & (pixels < starts + patch)
