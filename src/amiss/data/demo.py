"""The real images that amiss brings along: a subset of Fashion-MNIST (Xiao et al., 2017, MIT licence, in `demo/`)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from amiss.data.catalogue.mnist import FASHION_MNIST
from amiss.data.idx import read_idx_pair
from amiss.data.images import Images


@dataclass(frozen=True, eq=False)
class Demo:
    """Normal images to learn from, and a test set of unseen normal and anomalous ones; all uint8, (N, 1, 28, 28)."""

    train: Images
    test: Images
    test_labels: NDArray[np.int64]
    """(N,): 0 normal, 1 anomalous."""
    test_classes: NDArray[np.int64]
    """(N,): the official labels, which index `classes`."""
    classes: tuple[str, ...]
    normal: int
    """The normal class."""


def load_demo() -> Demo:
    """Return the bundled images: 2,400 T-shirts to learn from; 500 unseen ones and 500 other pieces to test on."""
    train, train_classes = _read("train")
    test, test_classes = _read("test")
    normal = int(train_classes[0])
    anomalous = (test_classes != normal).astype(np.int64)
    return Demo(train, test, anomalous, test_classes, FASHION_MNIST.classes, normal)


def _read(split: str) -> tuple[Images, NDArray[np.int64]]:
    folder = files("amiss.data") / "demo"
    with (
        as_file(folder / f"{split}-images-idx3-ubyte.gz") as images,
        as_file(folder / f"{split}-labels-idx1-ubyte.gz") as labels,
    ):
        pixels, classes = read_idx_pair((images, labels))
    return Images(pixels, names=[f"demo/{split}/{i:05d}" for i in range(len(pixels))]), classes
