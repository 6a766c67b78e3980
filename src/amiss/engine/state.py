"""What a learner remembers, as plain tensors and numbers, and how it is put back."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

State = dict[str, object]


def steppers(learner: nn.Module) -> dict[str, Optimizer | LRScheduler]:
    """Every optimizer and schedule that the learner or one of its modules holds as an attribute, by name."""
    found: dict[str, Optimizer | LRScheduler] = {}
    for prefix, module in learner.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Optimizer | LRScheduler):
                found[f"{prefix}.{name}" if prefix else name] = value
    return found


def capture(learner: nn.Module) -> State:
    """Copy all of the learner's memory: parameters, buffers, extra state, optimizers."""
    return {
        "module": copy_tensors(learner.state_dict()),
        "steppers": {name: copy.deepcopy(stepper.state_dict()) for name, stepper in steppers(learner).items()},
    }


def restore(learner: nn.Module, state: Mapping[str, object]) -> None:
    """Put a captured memory back."""
    module, saved = copy.deepcopy((state["module"], state["steppers"]))  # an optimizer steps the tensors that it loads
    if not isinstance(module, dict) or not isinstance(saved, dict):
        raise TypeError("a captured state holds the dictionaries 'module' and 'steppers'")
    install(learner, module)
    for name, stepper in steppers(learner).items():
        stepper.load_state_dict(saved[name])


def copy_tensors(state: Mapping[str, object]) -> State:
    """Copy a state dictionary, so that training on does not change it."""
    return {
        name: value.detach().clone() if isinstance(value, Tensor) else copy.deepcopy(value)
        for name, value in state.items()
    }


def install(module: nn.Module, state: Mapping[str, object]) -> None:
    """Load a state dictionary strictly; buffers take the stored shape first, since some are as long as the data."""
    for name, buffer in list(module.named_buffers()):
        value = state.get(name)
        if isinstance(value, Tensor) and value.shape != buffer.shape:
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, torch.empty_like(value, device=buffer.device))
    module.load_state_dict(dict(state), strict=True)
