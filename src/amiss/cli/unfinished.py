"""The folder beside a model in which a fit is kept until it is finished: MODEL.fit."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amiss.contracts import InputError, WorkError
from amiss.engine.workdir import Workdir

if sys.platform != "win32":
    import fcntl

_OWN = {"plan.json", "checkpoint.pt", "log.jsonl", "store", "replaces"}


class Unfinished:
    """What stands of a fit that writes `out`; nothing is removed that is not a fit's own."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.parent / f"{out.name}.fit"
        self._mark = self.path / "replaces"
        self._new = False
        self._lock: int | None = None

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return Workdir(self.path).plan.exists()

    def refuse(self) -> None:
        """Raise InputError where a fit was begun, or something else has its name."""
        self._require_own()
        if self.begun:
            raise InputError(
                f"{self.path} holds an unfinished fit: give --resume to go on with it, or --overwrite to start anew"
            )

    def prepare(self, *, overwrite: bool) -> None:
        """Make ready for a fit; with `overwrite`, discard what was begun and remember which model is to be replaced."""
        self._require_own()
        self.path.mkdir(exist_ok=True)
        self._hold()
        if overwrite:
            for entry in self.path.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            if self.out.exists():
                self._mark.write_text(_digest(self.out))
        self._new = not self.begun

    def _hold(self) -> None:
        """Lock the folder until `release`, or the end of the process; raises InputError where another fit holds it."""
        if sys.platform == "win32":
            return  # two fits into one output are not told apart there
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise InputError(
                f"another fit is at work in {self.path}: wait until it has finished, or choose another output"
            ) from error
        except OSError:
            self.release()  # a file system without locks

    def release(self) -> None:
        """Let other fits use the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def replaces(self) -> bool:
        """Tell whether the model that stands there is the old one, which the unfinished fit was told to replace."""
        return self.begun and self._mark.exists() and self._mark.read_text() == _digest(self.out)

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Keep what an interrupted fit has done, and say so; leave nothing behind where the call was wrong."""
        try:
            yield
        except InputError:
            self.remove_if_new()
            raise
        except WorkError as error:
            raise WorkError(f"{error} ({self.path} keeps what was done, for --resume)") from error
        except KeyboardInterrupt:
            if not self.begun:
                self.remove_if_new()
                raise
            kept = f"{self.path} keeps what was done; the same call with --resume goes on"
            raise KeyboardInterrupt(f"interrupted: {kept}") from None

    def remove_if_new(self) -> None:
        """Remove what this very call has made."""
        if self._new:
            self.remove()

    def remove(self) -> None:
        """Remove the folder, if there is one; raises InputError for a folder that is not a fit's."""
        self._require_own()
        if self.path.exists():
            shutil.rmtree(self.path)

    def _require_own(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"{self.path} is in the way of the fit's folder: remove it, or choose another output")
        for entry in self.path.iterdir():
            if entry.name not in _OWN and not entry.name.endswith(".part"):
                raise InputError(
                    f"{self.path} is not an unfinished fit, it holds {entry.name}: remove it, or choose another output"
                )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
