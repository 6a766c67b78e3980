"""Read the binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky, Learning multiple layers of features, 2009).

The layout is given at https://www.cs.toronto.edu/~kriz/cifar.html: records of one label byte (CIFAR-10) or of a coarse
and a fine label byte (CIFAR-100), then 3072 pixel bytes, the red, the green and the blue plane of a 32x32 image, row by
row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.labelled import Records

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
CLASSES = (10,)
CLASSES_100 = (20, 100)
"""How many values each label byte of a record has."""


def read_cifar(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read batch files, one after the other, as pixels (N, 3, 32, 32) in 0..255 and labels (N,) in 0..9.

    Raises InputError when a file is missing, is not whole records, or holds a label above 9.
    """
    records = np.concatenate([_records(path, "CIFAR-10", CLASSES) for path in paths])
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64)


def read_cifar_100(paths: Sequence[Path]) -> Records:
    """Read files, one after the other, as pixels (N, 3, 32, 32) in 0..255, labels (N,) in 0..99 and the tag coarse.

    Labels are the fine ones; coarse (N,) is the superclass, in 0..19. Raises InputError as `read_cifar` does.
    """
    records = np.concatenate([_records(path, "CIFAR-100", CLASSES_100) for path in paths])
    labels = records[:, :2].astype(np.int64)
    return Records(records[:, 2:].reshape(-1, *SHAPE), labels[:, 1], {"coarse": labels[:, 0]})


def _records(path: Path, name: str, classes: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        values = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; a file of {name}'s binary version is expected") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    length = len(classes) + PIXELS
    if not values.size or values.size % length:
        raise InputError(f"{path} holds {values.size} bytes; {name}'s records of {length} bytes are expected")
    records = values.reshape(-1, length)
    for column, count in enumerate(classes):
        if (top := int(records[:, column].max())) >= count:
            raise InputError(f"{path} holds the label {top}; {name}'s labels are 0 to {count - 1}")
    return records
