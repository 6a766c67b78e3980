"""One step of gradient descent, as every method takes it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


def descend(loss: Tensor, *optimizers: Optimizer) -> None:
    """Differentiate a scalar loss and step each optimizer; the gradients stay in `.grad` until the next call."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    for optimizer in optimizers:
        optimizer.step()
