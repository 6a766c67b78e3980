"""The folder of an unfinished fit: its plan, its checkpoint and its log."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from amiss.contracts import InputError, WorkError
from amiss.data.atomic import write_atomic
from amiss.engine.processes import told
from amiss.engine.state import State
from amiss.sharing import leads

Record = dict[str, object]
Plan = dict[str, str]


class Workdir:
    """Holds what a killed fit needs to go on, and nothing once the fit is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint.pt"
        self.log = path / "log.jsonl"
        self.plan = path / "plan.json"

    def open(self, plan: Plan, *, resume: bool) -> None:
        """Start in an empty folder, or go on in one whose plan is the same.

        Raises InputError if the folder holds an unfinished fit and `resume` is not set, or by name for whatever changed
        since: data, options, versions, thread count. Raises WorkError if the plan cannot be read.
        """
        if self.plan.exists():
            if not resume:
                raise InputError(
                    f"{self.path} holds an unfinished fit: give --resume to go on with it, or --overwrite to start anew"
                )
            require_same(self.path, self._planned(), plan)
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}; choose another output") from error
        text = json.dumps(plan, indent=2, sort_keys=True)
        write_atomic(self.plan, lambda file: file.write(text.encode()))

    def _planned(self) -> Mapping[str, str]:
        try:
            plan = json.loads(self.plan.read_text("utf-8"))
            if not isinstance(plan, dict):
                raise ValueError(f"expected an object, got {type(plan).__name__}")
        except (OSError, ValueError) as error:
            raise WorkError(f"{self.plan} cannot be read ({error}): give --overwrite to start anew") from error
        return plan

    def save(self, state: State, log: Sequence[Record]) -> None:
        """Write the checkpoint, which holds the log too, then the log as JSON lines."""
        write_atomic(self.checkpoint, lambda file: torch.save({**state, "log": json.dumps(log)}, file))
        self.write_log(log)

    def write_log(self, log: Sequence[Record]) -> None:
        """Write the records as JSON lines."""
        text = "".join(json.dumps(record) + "\n" for record in log)
        write_atomic(self.log, lambda file: file.write(text.encode()))

    def load(self) -> tuple[State, list[Record]] | None:
        """Read the checkpoint and its log, if there is one; raises WorkError if it cannot be read."""
        written = told(self._checkpoint() if leads() else None)  # other processes need not see the folder
        if written is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(written)) as archive:
                if damaged := archive.testzip():  # torch does not look at the checksums that it wrote
                    raise zipfile.BadZipFile(damaged)
            state = torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
            return state, json.loads(state.pop("log"))
        except Exception as error:
            raise self._unreadable(error) from error

    def _checkpoint(self) -> bytes | None:
        try:
            return self.checkpoint.read_bytes() if self.checkpoint.exists() else None
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> WorkError:
        return WorkError(f"{self.checkpoint} cannot be read ({type(error).__name__}): give --overwrite to start anew")


def require_same(path: Path, old: Mapping[str, str], new: Plan) -> None:
    """Raise InputError, by name, for what changed between two plans of the work in `path`."""
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            raise InputError(
                f"cannot resume {path}: {name} was {old.get(name, 'not set')} and is now {new.get(name, 'not set')}; "
                "restore it, or give --overwrite to start anew"
            )
