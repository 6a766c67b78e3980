"""Read CIFAR-10's binary version (Krizhevsky, Learning multiple layers of features from tiny images, 2009).

The layout is given at https://www.cs.toronto.edu/~kriz/cifar.html: records of one label byte and 3072 pixel bytes, the
red, the green and the blue plane of a 32x32 image, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = 10


def read_cifar(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read batch files, one after the other, as pixels (N, 3, 32, 32) in 0..255 and labels (N,) in 0..9.

    Raises InputError when a file is missing, is not whole records, or holds a label above 9.
    """
    records = np.concatenate([_records(path) for path in paths])
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64)


def _records(path: Path) -> NDArray[np.uint8]:
    try:
        values = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; a batch of CIFAR-10's binary version is expected") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not values.size or values.size % RECORD:
        raise InputError(f"{path} holds {values.size} bytes; CIFAR-10's records of {RECORD} bytes are expected")
    records = values.reshape(-1, RECORD)
    if (top := int(records[:, 0].max())) >= CLASSES:
        raise InputError(f"{path} holds the label {top}; CIFAR-10's labels are 0 to {CLASSES - 1}")
    return records
