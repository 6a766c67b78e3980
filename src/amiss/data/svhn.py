"""Read the cropped digits of SVHN, MATLAB files of version 5 (Netzer et al., 2011).

The layout is given at http://ufldl.stanford.edu/housenumbers: X (32, 32, 3, N) of unsigned bytes, rows, columns,
colours and images, and y (N, 1) with the digit, where 10 stands for the digit 0.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError

SHAPE = (32, 32, 3)
DIGITS = 10


def read_svhn(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one file as pixels (N, 3, 32, 32) in 0..255 and labels (N,), the digits 0..9.

    Raises InputError when the file is missing, damaged, or does not hold X and y as SVHN has them.
    """
    (path,) = paths
    held = _load(path)
    x, y = (np.asarray(held[name]) for name in ("X", "y"))
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != SHAPE:
        raise InputError(f"{path} holds X of {x.dtype} and shape {x.shape}; uint8 of shape (32, 32, 3, N) is expected")
    if y.dtype.kind not in "iuf" or y.shape != (x.shape[3], 1):
        raise InputError(f"{path} holds y of {y.dtype} and shape {y.shape}; numbers ({x.shape[3]}, 1) are expected")
    wrong = y[(y < 1) | (y > DIGITS) | (y != np.floor(y))]
    if wrong.size:
        raise InputError(f"{path} holds the label {wrong[0]}; SVHN's labels are 1 to {DIGITS}")
    return np.ascontiguousarray(x.transpose(3, 2, 0, 1)), y[:, 0].astype(np.int64) % DIGITS


def _load(path: Path) -> dict[str, object]:
    """Load X and y alone; nothing in a MATLAB file of version 5 is executed."""
    from scipy.io import loadmat  # type: ignore[import-untyped]  # heavy, and only this set needs it
    from scipy.io.matlab import MatReadError  # type: ignore[import-untyped]

    damage = (MatReadError, OSError, ValueError, TypeError, KeyError, NotImplementedError, EOFError)
    try:
        with path.open("rb") as file:
            held = loadmat(file, variable_names=["X", "y"])
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; a MATLAB file is expected") from error
    except (*damage, zlib.error, struct.error, IndexError, MemoryError) as error:
        raise InputError(f"{path} cannot be read as a MATLAB file of version 5: {error}") from error
    missing = [name for name in ("X", "y") if name not in held]
    if missing:
        raise InputError(f"{path} holds no {missing[0]}; a file of SVHN holds X and y")
    return held
