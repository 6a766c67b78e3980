"""Read idx files, the format of MNIST (http://yann.lecun.com/exdb/mnist), Fashion-MNIST and one form of KMNIST."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
GZIP_RATIO = 1032  # the most that deflate can shrink; bounds what a small file may claim to hold


def read_idx(path: Path, rank: Literal[1, 3]) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes, plain or gzipped: labels (N,) for rank 1, images (N, H, W) for rank 3.

    Whether a file is gzipped is seen from its first bytes, so a file that a browser has unpacked is read too.
    Raises InputError when the file is missing, is not idx of this rank, or is longer or shorter than it declares.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            limit = path.stat().st_size * (GZIP_RATIO if packed else 1)
            if not packed:
                return _parse(raw, path, rank, limit)
            with gzip.open(raw, "rb") as unpacked:
                return _parse(unpacked, path, rank, limit)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; an idx file is expected, plain or gzipped") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as an idx file, plain or gzipped: {error}") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, rank: int, limit: int) -> NDArray[np.uint8]:
    kind = "labels" if rank == 1 else "images"
    magic = file.read(4)
    accepted = bytes((0, 0, UNSIGNED_BYTE, rank))
    if magic != accepted:
        raise InputError(
            f"{path} starts with the bytes {magic.hex() or '(none)'}; "
            f"idx {kind} of unsigned bytes start with {accepted.hex()}"
        )
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise InputError(f"{path} ends within its header; {4 + 4 * rank} bytes are expected there")
    shape: tuple[int, ...] = struct.unpack(f">{rank}I", header)
    count = math.prod(shape)
    if not 0 < count <= limit:
        raise InputError(f"{path} declares the shape {shape}, which a file of its length cannot hold")
    values = file.read(count + 1)
    if len(values) != count:
        held = f"{len(values)}" if len(values) < count else "more"
        raise InputError(f"{path} declares the shape {shape}, {count} bytes, but holds {held}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_idx_pair(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read (images file, labels file) as pixels (N, 1, H, W) in 0..255 and labels (N,).

    Raises InputError as `read_idx` does.
    """
    images, labels = paths
    return read_idx(images, 3)[:, None], read_idx(labels, 1).astype(np.int64)
