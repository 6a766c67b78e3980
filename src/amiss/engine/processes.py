"""Several processes that train one model: joining them, and what they tell each other besides gradients."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from amiss.contracts import InputError, WorkError
from amiss.plain import ToldError
from amiss.sharing import ONE, Group, add_up, group, grouped, in_touch, leads

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process in its environment."""

JOINING = timedelta(minutes=10)
"""How long all processes have to appear."""

PATIENCE = timedelta(days=1)
"""How long processes wait for each other, as while the first one decodes all images."""

TELLING = timedelta(seconds=3)
"""How long another process waits for the first one to say what went wrong."""


@contextmanager
def together() -> Iterator[None]:
    """Let whatever is fitted inside be trained by all processes that were started with this one, if there are any.

    They are those that torchrun started, or those of the process group that is there already, as in Ray Train. Every
    process must do the same inside. Only the first one writes, and tells progress; an error is raised as it is in one
    process, and as ToldError in the others. Raises InputError where torch has no gloo.
    """
    ours = not (dist.is_available() and dist.is_initialized())
    count = int(os.environ["WORLD_SIZE"]) if ours and all(name in os.environ for name in NEEDED) else 1
    if ours and count == 1:
        yield
        return
    store = _join() if ours else None
    if dist.get_world_size() == 1:
        yield
        return
    control = None if "gloo" in str(dist.get_backend_config()) else dist.new_group(backend="gloo")
    try:
        with grouped(Group(dist.get_rank(), dist.get_world_size(), control)):
            yield
            wait()
    except (Exception, KeyboardInterrupt) as error:
        if store is not None and _told(store):
            raise ToldError(str(error)) from error
        if isinstance(error, InputError | WorkError) and dist.get_rank() > 0:
            raise type(error)(f"process {dist.get_rank()} of {dist.get_world_size()}: {error}") from error
        raise
    if ours:
        dist.destroy_process_group()


def _join() -> Store:
    """Make the process group that torchrun's environment describes, on gloo, and on nccl for GPUs."""
    if not (dist.is_available() and dist.is_gloo_available()):
        raise InputError("several processes were started, and this build of torch has no gloo to join them by")
    # Imported before there is a group: its functions keep the default group of that moment as a default argument. The
    # group then outlives destroy_process_group, and its threads may end the process by a signal as Python shuts down.
    import torch.distributed.nn.functional
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    local = int(os.environ.get("LOCAL_RANK", "0"))
    gpus = torch.cuda.is_available() and dist.is_nccl_available() and local < torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(local)
    try:
        store, rank, count = next(iter(rendezvous("env://", timeout=JOINING)))
        backend = "cpu:gloo,cuda:nccl" if gpus else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise WorkError(f"the processes cannot be joined at MASTER_ADDR and MASTER_PORT: {reason}") from error
    return PrefixStore("amiss", store)


def _told(store: Store) -> bool:
    """Whether another process says what went wrong; the first one does, unless only others failed."""
    try:
        if dist.get_rank() > 0:
            with suppress(dist.DistStoreError):  # nothing was said in that time
                store.wait(["failed"], TELLING)
                return True
        return store.add("failed", 1) > 1
    except RuntimeError:
        return True  # the first process kept the store, and has ended


@contextmanager
def alone() -> Iterator[None]:
    """Fit inside with this process alone."""
    with grouped(ONE):
        yield


@contextmanager
def leader_first() -> Iterator[None]:
    """Let the first process go through the block before all others."""
    if not leads():
        wait()
    yield
    if leads():
        wait()


def wait() -> None:
    """Wait until every process is here."""
    add_up([torch.zeros(1)])  # not a barrier, which nccl would keep on the GPU


def told(data: bytes | None) -> bytes | None:
    """What the first process gives, in every process."""
    if group().count == 1:
        return data
    length = torch.tensor(-1 if data is None else len(data))
    _broadcast(length)
    if length < 0:
        return None
    content = torch.zeros(int(length), dtype=torch.uint8)
    if leads() and data:
        content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    _broadcast(content)
    return content.numpy().tobytes()


def _broadcast(tensor: torch.Tensor) -> None:
    if tensor.numel():
        with in_touch():
            dist.broadcast(tensor, src=0, group=group().control)


def agree(what: str, mine: Callable[[], bytes]) -> None:
    """Raise WorkError unless every process has the same."""
    if group().count == 1:
        return
    number = int.from_bytes(hashlib.sha256(mine()).digest()[:8], "big") >> 1
    ends = torch.tensor([number, -number])
    with in_touch():
        dist.all_reduce(ends, dist.ReduceOp.MAX, group=group().control)
    if ends[0] != -ends[1]:
        raise WorkError(
            f"the processes have different {what}: start all of them with the same call, versions and images, on "
            f"machines that calculate alike"
        )


def check(learner: nn.Module, device: torch.device) -> None:
    """Raise InputError for what several processes cannot train, or not there."""
    count = group().count
    if count == 1:
        return
    if device.type not in ("cpu", "cuda") or device.index is not None:
        raise InputError(f"{count} processes cannot train on the device {device}: use auto, cpu or cuda")
    if device.type == "cuda" and int(os.environ.get("LOCAL_RANK", "0")) >= torch.cuda.device_count():
        raise InputError(
            f"this machine has {torch.cuda.device_count()} GPUs, and more processes were started on it: start one for "
            f"each GPU, or give the device cpu"
        )
    for name, module in learner.named_modules():
        if isinstance(module, _BatchNorm):
            raise InputError(
                f"this method cannot be trained by {count} processes: its layer {name} ({type(module).__name__}) mixes "
                f"all images of a batch, which they would divide; start it without torchrun"
            )


def checksum(learner: nn.Module) -> bytes:
    """SHA-256 over all that a learner's state dictionary holds in tensors."""
    digest = hashlib.sha256()
    for name, value in learner.state_dict().items():
        if isinstance(value, torch.Tensor):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()
