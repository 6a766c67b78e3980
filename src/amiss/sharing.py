"""How several processes share a batch: which rows are this one's, draws for all of them, and means over all of them.

With one process, and wherever a batch is not divided, each function here does what its name says to that batch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx

from amiss.plain import WorkError


@dataclass(frozen=True)
class Group:
    """The processes that train one model together, and this one among them."""

    rank: int = 0
    count: int = 1
    control: dist.ProcessGroup | None = None
    """What tensors on the CPU go through; the default group if None."""


ONE = Group()
"""A process of its own."""


@dataclass(frozen=True)
class Share:
    """The rows of a batch on which this process works.

    Where a batch has fewer rows than there are processes, some work on its first row, which then counts nothing.
    """

    first: int
    last: int
    total: int
    """Rows of the whole batch."""
    count: int
    """Rows that are this process's own."""

    @property
    def rows(self) -> slice:
        """Where they stand."""
        return slice(self.first, self.last)

    @property
    def weight(self) -> float:
        """What a mean over them counts in the mean over the batch."""
        return self.count / self.total


_GROUP: ContextVar[Group] = ContextVar("group", default=ONE)
_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


def group() -> Group:
    """The processes that train together here; one, unless `amiss.engine.processes.together` joined others."""
    return _GROUP.get()


def leads() -> bool:
    """Whether this process is the one that writes and speaks."""
    return group().rank == 0


@contextmanager
def grouped(members: Group) -> Iterator[None]:
    """Run as one of these processes."""
    token = _GROUP.set(members)
    try:
        yield
    finally:
        _GROUP.reset(token)


def share_of(total: int, members: Group) -> Share:
    """This process's rows of a batch of `total` rows, at least 1: contiguous, and as even as can be."""
    first, last = (total * edge // members.count for edge in (members.rank, members.rank + 1))
    return Share(first, last, total, last - first) if first < last else Share(0, 1, total, 0)


@contextmanager
def dividing(total: int, *, divisible: bool) -> Iterator[Share]:
    """Run with a batch of `total` rows divided among the processes, or whole on each where it is not divisible."""
    members = group()
    if members.count == 1 or not divisible:
        yield Share(0, total, total, total)
        return
    share = share_of(total, members)
    token = _SHARE.set(share)
    try:
        yield share
    finally:
        _SHARE.reset(token)


def drawn(like: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """Random numbers shaped as `like` (B, ...), a row for each image; they do not depend on the number of processes.

    draw: fills a tensor in place and returns it; it is given one for the whole batch. Raises ValueError where `like`
    has another number of rows than this process's share.
    """
    share = _SHARE.get()
    if share is None:
        return draw(torch.empty_like(like))
    if len(like) != share.last - share.first:
        raise ValueError(f"draws for {len(like)} rows are asked for, where this process has {share.rows} of a batch")
    whole = like.new_empty(share.total, *like.shape[1:])
    if like.dim() == 4 and not like.is_contiguous() and like.is_contiguous(memory_format=torch.channels_last):
        whole = whole.contiguous(memory_format=torch.channels_last)  # numbers are drawn in the order of memory
    return draw(whole)[share.rows]


def averaged(*means: Tensor) -> list[Tensor]:
    """Means over the batch, of any shapes, from means over this process's rows; gradients flow through, once."""
    share = _SHARE.get()
    if share is None:
        return list(means)
    flat = torch.cat([mean.flatten() for mean in means]) * share.weight
    return _like(_Sum.apply(flat), means)  # type: ignore[no-untyped-call]


def backward(loss: Tensor, inputs: Sequence[Tensor]) -> None:
    """Put into `.grad` of the inputs the gradients of a loss, a scalar that is a mean over the batch."""
    share = _SHARE.get()
    torch.autograd.backward(loss if share is None else loss * share.weight, inputs=inputs)
    if share is not None:
        add_up([tensor.grad for tensor in inputs if tensor.grad is not None])


@torch.no_grad()
def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace tensors, in place, by their sums over all processes."""
    if group().count == 1 or not tensors:
        return
    flat = _summed(torch.cat([tensor.flatten() for tensor in tensors]))
    for tensor, total in zip(tensors, _like(flat, tensors), strict=True):
        tensor.copy_(total)


@contextmanager
def in_touch() -> Iterator[None]:
    """Say in one sentence that the other processes cannot be reached."""
    try:
        yield
    except WorkError:
        raise
    except RuntimeError as error:
        raise WorkError("the other processes cannot be reached: one has ended, or the network failed") from error


class _Sum(torch.autograd.Function):
    """Sum over processes; backwards too, since every process has its part of one loss."""

    @staticmethod
    def forward(ctx: FunctionCtx, value: Tensor) -> Tensor:
        return _summed(value.clone())

    @staticmethod
    def backward(ctx: FunctionCtx, slope: Tensor) -> Tensor:
        return _summed(slope.clone())


def _summed(flat: Tensor) -> Tensor:
    with in_touch():
        dist.all_reduce(flat, group=group().control if flat.device.type == "cpu" else None)
    return flat


def _like(flat: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
