"""Test labels as an object that records what they were looked at for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amiss.contracts import InputError

METRIC = "metric"
"""The purpose that labels are for."""

REPORT = "report"
"""Curves over epochs, which nothing is chosen by; they leave a result unmarked too."""


class Labels:
    """Labels of test images, 0 normal and 1 anomalous, (N,); every look at them is recorded with its purpose.

    Raises InputError for values other than 0 and 1.
    """

    def __init__(self, values: ArrayLike) -> None:
        given = np.asarray(values)
        if given.ndim != 1:
            raise InputError(f"labels have shape {given.shape}: they must be one number per image, (N,)")
        wrong = np.flatnonzero(~np.isin(given, (0, 1)))
        if len(wrong):
            raise InputError(f"label {wrong[0]} is {given[wrong[0]]!r}: it must be 0 (normal) or 1 (anomalous)")
        self._values = given.astype(np.int64)
        self._purposes: list[str] = []

    def __len__(self) -> int:
        return len(self._values)

    def reveal(self, purpose: str) -> NDArray[np.int64]:
        """Return a copy of the labels (N,) and record why; any purpose but METRIC and REPORT marks the results."""
        if not purpose.strip():
            raise InputError('labels were asked for without a purpose: name it, such as "metric"')
        self._purposes.append(purpose)
        return self._values.copy()

    @property
    def purposes(self) -> tuple[str, ...]:
        """Every purpose so far, once each, in the order of first use."""
        return tuple(dict.fromkeys(self._purposes))

    @property
    def marked(self) -> bool:
        """Whether the labels served anything but the metric and its reports."""
        return any(purpose not in (METRIC, REPORT) for purpose in self._purposes)
