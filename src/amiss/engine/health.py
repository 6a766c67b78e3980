"""Signs that training went wrong, each with what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from amiss.contracts import Learner, WorkError
from amiss.engine.state import steppers

SAME = 1e-6
"""Scores whose spread is below this share of their size are constant."""

COLLAPSED = 1e-2
"""Codes that differ between images by less than this share of their size are one code.

The same share of the spread of real images tells whether generated ones differ at all.
"""

SATURATED = 1e-5
"""A critic whose values differ between images by less than this share of their size gives no gradient to learn from."""

ALIVE = 300
"""Steps of a phase after which an autoencoder must restore different images differently."""

ONE_PICTURE = 0.1
"""Restored images that differ by less than this share of the spread of the images themselves are one picture.

Networks that lived had 0.5 and more after 300 steps, dead ones less than 0.01 (docs/adr/0011).
"""

STILL = 1e-6
"""Losses that differ between two epochs by less than this share of their size stand still."""


class StallError(WorkError):
    """Training had a dead start: from other initial weights it may live."""


def check_finite(losses: dict[str, float], where: str) -> None:
    """Raise WorkError if a loss is not a finite number."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise WorkError(
                f"training broke down in {where}: the loss {name!r} is {value}; lower the learning rate, "
                f"or train in float32 if bfloat16 was chosen"
            )


@contextmanager
def moving(learner: nn.Module, where: str) -> Iterator[None]:
    """Run an epoch; raise WorkError if an optimizer that steps in it owns a parameter that no gradient reaches."""
    before = {name: p.detach().clone() for name, p in learner.named_parameters() if p.requires_grad}
    owned: set[int] = set()

    def note(optimizer: Optimizer, *_: object) -> None:
        owned.update(id(p) for group in optimizer.param_groups for p in group["params"])

    optimizers = [stepper for stepper in steppers(learner).values() if isinstance(stepper, Optimizer)]
    handles = [optimizer.register_step_post_hook(note) for optimizer in optimizers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for name, p in learner.named_parameters():
        if id(p) in owned and name in before and p.numel() and torch.equal(p, before[name]):
            raise WorkError(
                f"{name} did not move in {where}: no gradient reaches this layer; check that the images are not all "
                f"alike, and that a method of your own uses the layer in its loss"
            )


def check_progress(before: dict[str, float], losses: dict[str, float], where: str) -> None:
    """Raise StallError if every loss of an epoch is that of the epoch before.

    Over a whole epoch a loss of a network that learns always changes a little; only where no gradient is left, as
    behind a saturated sigmoid, is it the same to the last digits.
    """
    if losses and all(abs(losses[name] - before[name]) <= STILL * abs(losses[name]) for name in losses):
        raise StallError(
            f"training stands still in {where}: no loss changes any more, so the gradients have vanished; give another "
            f"random state or a lower learning rate"
        )


def one_picture(learner: Learner, x: Tensor) -> str | None:
    """Say so if the learner restores images (B, C, H, W) to one and the same picture; else None.

    What else must differ between images may take longer to do so, and is looked at when training has ended.
    """
    if len(x) < 2:
        return None
    with torch.no_grad():
        vitals = learner.vitals(x)
    real = _spread(x)[0]
    for name, values in vitals.items():
        spread = _spread(values)[0]
        if _kind(name) == "reconstruction" and spread <= ONE_PICTURE * real:
            return (
                f"every image is restored to one and the same picture: between {len(x)} training images the {name} "
                f"varies by {spread:.2g}, the images by {real:.2g}"
            )
    return None


def _kind(name: str) -> str:
    """What a vital is: 2.latent is the second member's latent."""
    return name.rpartition(".")[2]


def check_vitals(learner: Learner, x: Tensor) -> None:
    """Raise WorkError if a part of the learner cannot tell images (B, C, H, W) apart: encoder, generator or critic."""
    if len(x) < 2:
        return
    with torch.no_grad():
        vitals = learner.vitals(x)
    for name, values in vitals.items():
        kind = _kind(name)
        spread, size = _spread(values)
        if not math.isfinite(spread):
            raise WorkError(f"the {name} of {len(x)} training images is not finite; lower the learning rate")
        varies = f"between {len(x)} training images it varies by {spread:.2g} at a size of {size:.2g}"
        if kind == "latent" and spread <= COLLAPSED * size:
            raise WorkError(
                f"the latent code collapsed: {varies}; check that the images are not all alike, train longer, or "
                f"change the learning rate"
            )
        if kind == "generated" and spread <= COLLAPSED * _spread(x)[0]:
            raise WorkError(
                f"the generator ignores its input: what it makes varies by {spread:.2g} where {len(x)} training images "
                f"vary by {_spread(x)[0]:.2g}; train longer, lower the learning rate, or give another random state"
            )
        if kind == "critic" and spread <= SATURATED * size:
            raise WorkError(
                f"the critic is saturated: {varies}, so it teaches nothing; lower the learning rate, or give another "
                f"random state"
            )


def _spread(values: Tensor) -> tuple[float, float]:
    """How far rows (B, ...) lie from their mean, and how large they are, both as root mean squares."""
    rows = values.flatten(1) if values.dim() > 1 else values[:, None]
    rows = rows.to(torch.float64 if rows.device.type != "mps" else torch.float32)
    return (rows - rows.mean(0)).square().mean().sqrt().item(), rows.square().mean().sqrt().item()


def check_scores(scores: Tensor) -> None:
    """Raise WorkError if the scores (N,) of training images and their negatives are not finite or do not vary."""
    if not bool(scores.isfinite().all()):
        raise WorkError("the detector gives scores that are not finite; lower the learning rate and train again")
    spread, size = (scores.max() - scores.min()).item(), scores.abs().max().item()
    if len(scores) > 1 and spread <= SAME * size:
        raise WorkError(
            f"the detector gives every image the same score ({scores[0].item():.6g}); check that the images "
            f"are not all alike, train longer, or try another method"
        )
