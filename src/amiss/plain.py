"""The part of the vocabulary that needs no torch, so that a model's images and errors are known where torch is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int, str], None]
"""Told what runs, how much is done, how much there is (0 if unknown), and a detail such as a loss."""


class InputError(ValueError):
    """What was given cannot be used: one sentence that names it and says what is accepted (exit code 2)."""


class WorkError(RuntimeError):
    """The work was started and failed: one sentence that says what happened and what to do (exit code 1)."""


class ToldError(WorkError):
    """The work failed in another process, which says why: nothing is left to say here (exit code 1)."""


@dataclass(frozen=True)
class ImageSpec:
    """The shape of every image that a model sees, in channels and pixels."""

    channels: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Values per image: channels * height * width."""
        return self.channels * self.height * self.width
