"""Read the npz files in which KMNIST is distributed (Clanuwat et al., 2018, https://arxiv.org/abs/1812.01718)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from amiss.contracts import InputError


def read_npz(path: Path, rank: Literal[1, 3]) -> NDArray[np.uint8]:
    """Read the only array of an npz file: labels (N,) for rank 1, images (N, H, W) for rank 3, unsigned bytes.

    Nothing in the file is executed: arrays of Python objects are refused. Raises InputError when the file is missing,
    damaged, or holds anything but one array of unsigned bytes of this rank.
    """
    try:
        with path.open("rb") as file:  # np.load would leave a damaged file open
            held = np.load(file, allow_pickle=False)
            arrays = [held[name] for name in held.files[:2]] if isinstance(held, NpzFile) else []
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; an npz file is expected") from error
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read as an npz file: {error}") from error
    if len(arrays) != 1:
        what = f"holds {len(held)} arrays" if isinstance(held, NpzFile) else "is a single npy array"
        raise InputError(f"{path} {what}; an npz file with one array is expected")
    array = arrays[0]
    if array.dtype != np.uint8 or array.ndim != rank or array.size == 0:
        raise InputError(
            f"{path} holds an array of {array.dtype} and shape {array.shape}; uint8 of "
            f"{'shape (N,)' if rank == 1 else 'shape (N, H, W)'} is expected"
        )
    return np.asarray(array, np.uint8)


def read_npz_pair(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read (images file, labels file) as pixels (N, 1, H, W) in 0..255 and labels (N,).

    Raises InputError as `read_npz` does.
    """
    images, labels = paths
    return read_npz(images, 3)[:, None], read_npz(labels, 1).astype(np.int64)
