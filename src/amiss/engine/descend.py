"""One step of gradient descent, as every method takes it."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from amiss.sharing import backward


def descend(loss: Tensor, *optimizers: Optimizer) -> None:
    """Differentiate a scalar loss by what the optimizers own, and step them; `.grad` stays until the next call.

    Where several processes share the batch, the gradients are those of the mean over all of it, in every process.
    Nothing else is differentiated by: a generator's step costs no gradients of its critic's weights.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    owned = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    backward(loss, owned)
    for optimizer in optimizers:
        optimizer.step()
