"""The whole vocabulary: everything else in amiss imports these names; those that need no torch come from `plain`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from amiss.plain import ImageSpec as ImageSpec
from amiss.plain import InputError as InputError
from amiss.plain import Progress as Progress
from amiss.plain import WorkError as WorkError

Losses = dict[str, Tensor]
"""Named losses of one training step, each a scalar; they are logged, and watched for values that are not finite."""


class Scorer(nn.Module, ABC):
    """Maps images (B, C, H, W) in [0, 1] to scores (B,); higher = more anomalous; a pure function of each image."""

    exportable: bool = True  # torch.export traces it with a dynamic batch
    differentiable: bool = True  # the score has a gradient with respect to the image
    weights: Mapping[str, float] = MappingProxyType({"score": 1.0})  # score = sum of weights[name] * terms[name]

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """Every part of the score by name, each (B,), higher = more anomalous."""
        return {"score": self(x)}

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Score images (B, C, H, W) in [0, 1]; returns (B,)."""


@dataclass(frozen=True)
class Phase:
    """Run `step` on every minibatch of normal images, `epochs` times over."""

    name: str
    step: Callable[[Tensor], Losses]
    epochs: int = 1
    batch_size: int = 64
    drop_last: bool = False
    on: Literal["train", "held_out"] = "train"
    steps: int = 0  # at least so many minibatches: where `epochs` holds fewer, there are more epochs
    after_epoch: Callable[[], None] | None = None
    divisible: bool = False  # several processes may divide a minibatch, as docs/processes.md says


class Learner(nn.Module, ABC):
    """Everything that is remembered while training, as parameters, buffers, extra state or optimizers."""

    clock: float = 0.0  # epochs done in this phase, with fraction; set by the engine before each step
    elapsed: float = 0.0  # share of this phase that is done, from 0 to 1; set by the engine before each step
    held_out: bool = False  # whether `criterion` or a phase asks for normal images held out of training

    @abstractmethod
    def phases(self) -> Iterator[Phase]:
        """Yield the phases in order; code between yields runs between phases."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """Return the scorer; also on an unfitted learner, then with data-sized buffers of length 0."""

    def criterion(self, x: Tensor) -> Tensor | None:
        """Held-out-normal loss of one batch, a scalar, for label-free model selection; None keeps the last epoch."""
        return None

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """What must differ between images (B, C, H, W), each (B, ...): latent, reconstruction, generated, critic."""
        return {}


class Method(ABC):
    """A frozen dataclass of hyperparameters, in the paper's symbols."""

    @property
    def semi_supervised(self) -> bool:
        """Whether training needs known anomalies."""
        return False

    @abstractmethod
    def learner(self, spec: ImageSpec, known: Tensor | None = None) -> Learner:
        """Make the learner; raises InputError for an unsupported spec, or for known anomalies that it cannot use."""

    def again(self) -> Method | None:
        """Hyperparameters to begin anew with where the start was dead; None where the method has no other start."""
        return None
