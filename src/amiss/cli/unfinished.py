"""The folder beside a model in which a fit is kept until it is finished: MODEL.fit."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from amiss.contracts import InputError
from amiss.engine.workdir import Workdir

_OWN = {"plan.json", "checkpoint.pt", "log.jsonl", "store", "replaces"}


class Unfinished:
    """What stands of a fit that writes `out`; nothing is removed that is not a fit's own."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.with_name(out.name + ".fit")
        self._mark = self.path / "replaces"
        self._new = False

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
        if overwrite:
            self.remove()
            if self.out.exists():
                self.path.mkdir()
                self._mark.write_text(_digest(self.out))
        self._new = not self.begun

    def replaces(self) -> bool:
        """Tell whether the model that stands there is the old one, which the unfinished fit was told to replace."""
        return self.begun and self._mark.exists() and self._mark.read_text() == _digest(self.out)

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
