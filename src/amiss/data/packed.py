"""Many short texts in two flat arrays: a hundred thousand file names cost their bytes, not a Python object each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

_RUN = 8192


def sorted_runs(texts: Iterable[str]) -> list[PackedText]:
    """Pack `texts` as sorted runs, to be merged: at no time are more than a few thousand of them Python objects."""
    rest = iter(texts)
    runs = []
    while run := sorted(islice(rest, _RUN)):
        runs.append(PackedText.pack(run))
    return runs


class PackedText(Sequence[str]):
    """A read-only sequence of texts with a common prefix, in memory or memory-mapped."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        ends: NDArray[np.int64],
        prefix: str = "",
        index: NDArray[np.int64] | None = None,
    ) -> None:
        self._data, self._ends, self._prefix, self._index = data, ends, prefix, index

    @classmethod
    def pack(cls, texts: Iterable[str], prefix: str = "") -> PackedText:
        """Pack `texts`; each is read back as prefix + text."""
        data = bytearray()
        ends = array("q")
        for text in texts:
            data += text.encode("utf-8", "surrogateescape")  # file names need not be valid text
            ends.append(len(data))
        return cls(np.frombuffer(data, dtype=np.uint8), np.frombuffer(ends, dtype=np.int64), prefix)

    def __len__(self) -> int:
        return len(self._ends) if self._index is None else len(self._index)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> PackedText: ...
    def __getitem__(self, i: int | slice) -> str | PackedText:
        if isinstance(i, slice):
            return self.take(np.arange(len(self))[i])
        at = range(len(self))[i] if self._index is None else int(self._index[i])
        return self._prefix + self._tail(at)

    def _tail(self, at: int) -> str:
        start = int(self._ends[at - 1]) if at else 0
        return self._data[start : int(self._ends[at])].tobytes().decode("utf-8", "surrogateescape")

    def take(self, index: NDArray[np.int64]) -> PackedText:
        """Return the texts at `index` (B,), in that order, as a view."""
        return PackedText(self._data, self._ends, self._prefix, index if self._index is None else self._index[index])

    @staticmethod
    def write(texts: Iterable[str], folder: Path, name: str) -> None:
        """Write `texts` as they are read, prefix included, to NAME.utf8 and NAME.ends in `folder`."""
        end = 0
        with (folder / f"{name}.utf8").open("wb") as data, (folder / f"{name}.ends").open("wb") as ends:
            for text in texts:
                end += data.write(text.encode("utf-8", "surrogateescape"))
                ends.write(np.int64(end).tobytes())

    @classmethod
    def open(cls, folder: Path, name: str) -> PackedText:
        """Open, memory-mapped, what `write` wrote."""
        return cls(
            np.asarray(np.memmap(folder / f"{name}.utf8", dtype=np.uint8, mode="r")),
            np.asarray(np.memmap(folder / f"{name}.ends", dtype=np.int64, mode="r")),
        )
