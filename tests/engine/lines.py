"""Learners so small that a fit takes milliseconds, and images that carry their own number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, Learner, Losses, Method, Phase, Scorer
from amiss.data.images import Images
from amiss.engine.descend import descend
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime

SPEC = ImageSpec(1, 2, 2)


def numbered(n, start=0):
    """Images (n, 1, 2, 2) whose first pixel is their number over 1,000; the others vary."""
    pixels = np.random.default_rng(start).random((n, 1, 2, 2), dtype=np.float32)
    pixels[:, 0, 0, 0] = (np.arange(n) + start) / 1000
    return Images(pixels)


def numbers(x):
    """The numbers of a batch of such images."""
    return [round(v * 1000) for v in x[:, 0, 0, 0].tolist()]


class LineScorer(Scorer):
    """Squared distance to the learner's reconstruction."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return (self.net(x.flatten(1)) - x.flatten(1)).square().mean(1)


class Line(Learner):
    """A linear autoencoder with noise in its step, two phases, and memory of every kind."""

    epochs_seen: Tensor

    def __init__(self, spec, epochs=3):
        super().__init__()
        self.epochs = epochs
        self.net = nn.Sequential(nn.Linear(spec.pixels, 2), nn.Linear(2, spec.pixels))
        self.adam = torch.optim.Adam(self.net.parameters(), lr=0.05)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.adam, 2, 0.5)
        self.register_buffer("epochs_seen", torch.zeros((), dtype=torch.int64))

    def phases(self) -> Iterator[Phase]:
        yield Phase("first", self.step, self.epochs, 4, after_epoch=self.end)
        yield Phase("second", self.step, self.epochs, 4, after_epoch=self.end)

    def step(self, x) -> Losses:
        x = x.flatten(1)
        loss = (self.net(x + 0.1 * torch.randn_like(x)) - x).square().mean()
        descend(loss, self.adam)
        return {"recon": loss}

    def end(self) -> None:
        self.schedule.step()
        self.epochs_seen += 1

    def vitals(self, x):
        return {"latent": self.net[0](x.flatten(1))}

    def scorer(self) -> Scorer:
        return LineScorer(self.net)


@dataclass(frozen=True)
class Makes(Method):
    """A method that makes whatever learner a function makes, and keeps them for the test to look at."""

    make: Callable[[ImageSpec], Learner]
    made: list[Learner] = field(default_factory=list)

    def learner(self, spec, known=None):
        self.made.append(self.make(spec))
        return self.made[-1]


def run(make=Line, train=None, held_out=None, *, seed=0, **rest):
    """Fit on ten numbered images on the CPU; return the fit and its learner."""
    method = Makes(make)
    fitted = fit(method, SPEC, train or numbered(10), held_out, runtime=Runtime("cpu", seed=seed), **rest)
    return fitted, method.made[0]


class InterruptedFit(Exception):  # noqa: N818  not an error
    """Stands for a process that ends."""


def interrupting(after):
    """A progress callback that lets so many steps pass."""
    told = []

    def progress(what, done, total, detail):
        told.append(what)
        if len(told) > after:
            raise InterruptedFit

    return progress
