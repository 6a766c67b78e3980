"""Watches whether the images that come are still like those that calibrate the model."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.drift import drift
from amiss.contracts import InputError


@dataclass(frozen=True)
class DriftOptions:
    """When recent scores are taken to have drifted away from those of the calibration images."""

    window: int = 200
    """Latest images that are compared with the calibration images."""
    step: int = 50
    """New images from one test to the next."""
    seconds: float = 1
    """Least time from one test to the next, so that tests cost nothing under load; 0 tests at every step."""
    level: float = 0.001
    """A test whose p-value is at most this says drift; of unchanged images one test in 1/level does, in the mean."""

    def __post_init__(self) -> None:
        """Raise InputError for a window, step or level out of range."""
        if self.window < 2 or not 1 <= self.step <= self.window:
            raise InputError(
                f"--drift.window {self.window} and --drift.step {self.step} do not fit: give a window of 2 or more "
                "images, and a step from 1 to the window"
            )
        if not self.seconds >= 0:
            raise InputError(f"--drift.seconds {self.seconds} must be 0 or more")
        if not 0 < self.level < 1:
            raise InputError(f"--drift.level {self.level} must lie strictly between 0 and 1, such as 0.001")

    @property
    def images_per_false_alarm(self) -> float:
        """Images between two false alarms of drift where nothing has changed, in the mean, at the least."""
        return self.step / self.level


@dataclass(frozen=True)
class DriftState:
    """What is known of drift at one moment."""

    seen: int
    """Scores in the window."""
    window: int
    tests: int
    """Tests so far."""
    level: float
    p_value: float | None
    """Of the last test; None before the first."""
    statistic: float | None
    """Largest difference of the two distribution functions, in [0, 1]."""
    drifted: bool
    """Whether the last test said drift."""


class Rolling:
    """The latest scores of one model, tested against its calibration scores every `step` images; safe in threads.

    Many tests are made, so each has a small level: under any dependence between them, unchanged images give at most
    `level` false alarms a test in the mean, that is one in `step / level` images.
    """

    def __init__(self, calibration_scores: NDArray[np.float64], options: DriftOptions) -> None:
        self.calibration, self.options = calibration_scores, options
        self._recent: deque[float] = deque(maxlen=options.window)
        self._lock = threading.Lock()
        self._since = 0
        self._next = time.monotonic()
        self._tests = 0
        self._last: tuple[float, float] | None = None

    def add(self, scores: NDArray[np.float64]) -> DriftState | None:
        """Take new scores (N,); returns the state if tests were due and the decision changed, else None."""
        if not len(self.calibration):
            return None
        before = self.state().drifted
        now = time.monotonic()
        for score in scores[np.isfinite(scores)].tolist():
            with self._lock:
                self._recent.append(score)
                self._since += 1
                due = len(self._recent) == self.options.window and self._since >= self.options.step
                recent = np.array(self._recent) if due and now >= self._next else None
            if recent is not None:
                self._test(recent)
        state = self.state()
        return state if state.drifted != before else None

    def _test(self, recent: NDArray[np.float64]) -> None:
        found = drift(self.calibration, recent)
        with self._lock:
            self._since, self._tests, self._last = 0, self._tests + 1, (found.p_value, found.statistic)
            self._next = time.monotonic() + self.options.seconds

    def state(self) -> DriftState:
        """What is known now."""
        with self._lock:
            p_value, statistic = (None, None) if self._last is None else self._last
            drifted = p_value is not None and p_value <= self.options.level
            return DriftState(
                len(self._recent),
                self.options.window,
                self._tests,
                self.options.level,
                p_value,
                statistic,
                drifted,
            )
