"""Images on which methods are checked: an easy synthetic set, and a small subset of the bundled real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from amiss.contracts import ImageSpec
from amiss.data.demo import load_demo
from amiss.data.images import Images

BANDS = ((1, 3, 0, 2), (2, 0, 3, 1))
"""Orders of four bands in which no two neighbours stay neighbours."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Normal images to learn from and to select by, and a test set with as many anomalies as normal images."""

    train: Images
    held_out: Images
    test: Images
    labels: NDArray[np.int64]
    """(N,): 0 normal, 1 anomalous."""
    known: Images
    """A few anomalies that are not in the test set, for methods that learn from some."""


KNOWN = 16
"""Known anomalies of each set."""


def synthetic(spec: ImageSpec, train: int = 384, held_out: int = 32, test: int = 64) -> Samples:
    """Soft discs near the middle; anomalies are such discs cut into bands down and across, in another order.

    An anomaly holds exactly the pixels of a normal image, so no score that only looks at grey values can tell it.
    """
    rng = np.random.default_rng(0)
    normal, anomalous = discs(rng, train + held_out + test, spec), shuffled(rng, discs(rng, test, spec))
    parts = np.split(normal, [train, train + held_out])
    tested = Images(np.concatenate([parts[2], anomalous]))
    known = Images(shuffled(rng, discs(rng, KNOWN, spec)))
    return Samples(Images(parts[0]), Images(parts[1]), tested, np.repeat([0, 1], test), known)


def discs(rng: np.random.Generator, n: int, spec: ImageSpec) -> NDArray[np.uint8]:
    """Noisy discs with soft edges (n, C, H, W): brightness, size and place vary, and the brightness of each channel."""
    down, across = np.linspace(-1, 1, spec.height)[:, None], np.linspace(-1, 1, spec.width)

    def draw(low: float, high: float, channels: int = 1) -> NDArray[np.float64]:
        return rng.uniform(low, high, (n, channels, 1, 1))

    squared = (down - draw(-0.3, 0.3)) ** 2 + (across - draw(-0.3, 0.3)) ** 2
    x = 0.05 + draw(0.5, 0.9, spec.channels) * np.exp(-((squared / (2 * draw(0.3, 0.6) ** 2)) ** 2))
    x = x + rng.normal(0, 0.01, x.shape)
    return np.rint(255 * x.clip(0, 1)).astype(np.uint8)


def shuffled(rng: np.random.Generator, x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, C, H, W) with four bands of rows, and of columns, in one of two other orders."""

    def order(side: int) -> NDArray[np.intp]:
        bands = np.array_split(np.arange(side), len(BANDS[0]))
        return np.concatenate([bands[i] for i in BANDS[rng.integers(len(BANDS))]])

    return np.stack([image[:, order(x.shape[2])][:, :, order(x.shape[3])] for image in x])


def real(spec: ImageSpec, train: int = 256, held_out: int = 32, test: int = 128) -> Samples:
    """The first T-shirts of the bundled set, and unseen ones among other pieces, brought to the shape asked for."""
    demo = load_demo()
    learn = _shaped(demo.train.subset(np.arange(train + held_out)), spec)
    chosen = np.concatenate([np.flatnonzero(demo.test_labels == label)[:test] for label in (0, 1)])
    others = np.flatnonzero(demo.test_labels == 1)[test : test + KNOWN]
    return Samples(
        learn.subset(np.arange(train)),
        learn.subset(np.arange(train, train + held_out)),
        _shaped(demo.test.subset(chosen), spec),
        demo.test_labels[chosen],
        _shaped(demo.test.subset(others), spec),
    )


def _shaped(images: Images, spec: ImageSpec) -> Images:
    if images.spec == spec:
        return images
    x = images.take(np.arange(len(images))).float()
    x = F.interpolate(x, (spec.height, spec.width), mode="area").mean(1, keepdim=True)
    return Images(x.round().to(torch.uint8).expand(-1, spec.channels, -1, -1).contiguous().numpy())
