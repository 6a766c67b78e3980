"""The folder of a scoring run: one Parquet file for each shard, each whole or absent, and a manifest."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.table import ScoreTable, concatenate
from amiss.contracts import InputError, WorkError
from amiss.data.atomic import write_atomic
from amiss.data.claim import claimed
from amiss.data.images import Skipped
from amiss.engine.workdir import Plan, require_same
from amiss.scale.work import Part, part_of

MANIFEST, SKIPPED = "_manifest.json", "_skipped.csv"
"""Files that readers of Parquet folders pass over, for their underscore."""

SHARDS = "number of shards"
"""What a plan calls it."""

_PART = re.compile(r"part-(\d{5,})\.parquet")
_OURS = re.compile(rf"{_PART.pattern}|\.?{MANIFEST}.*|\.?{SKIPPED}.*|\.part-.*\.part")


@dataclass(frozen=True)
class Output:
    """What stands in the folder `path`, and where parts go."""

    path: Path

    def part(self, number: int) -> Path:
        """The file of a shard."""
        return self.path / f"part-{number:05}.parquet"

    @contextmanager
    def opened(self, plan: Plan, *, resume: bool, overwrite: bool) -> Iterator[dict[int, Part]]:
        """Hold the folder for a run, and tell what earlier ones have finished.

        Raises InputError where the folder holds a run and neither is set, a run of another plan, something else, or
        where another process writes to it.
        """
        self._require_own()
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}; choose another output") from error
        with claimed(self.path) as mine:
            if not mine:
                raise InputError(f"another process writes scores to {self.path}: wait, or choose another output")
            yield self._begun(plan, resume=resume, overwrite=overwrite)

    def _begun(self, plan: Plan, *, resume: bool, overwrite: bool) -> dict[int, Part]:
        if overwrite:
            for entry in list(self.path.iterdir()):
                entry.unlink()
        elif (self.path / MANIFEST).exists():
            if not resume:
                state = "finished scores" if self.finished else "unfinished scores"
                raise InputError(f"{self.path} holds {state}: give --resume to go on, or --overwrite to start anew")
            require_same(self.path, self._planned(), plan)
            parts = self.parts()
            if len(parts) < int(plan[SHARDS]):  # it may have been finished once
                self._write(MANIFEST, {"plan": plan})
            return parts
        elif any(_PART.fullmatch(entry.name) for entry in self.path.iterdir()):
            raise InputError(f"{self.path} holds parts without {MANIFEST}: give --overwrite to start anew")
        self._write(MANIFEST, {"plan": plan})
        return {}

    def discard(self) -> None:
        """Remove the run: a call that was wrong leaves nothing behind."""
        for entry in list(self.path.iterdir()):
            entry.unlink()
        self.path.rmdir()

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end, and every part is there."""
        return "finished" in self._read() and len(self.parts()) == int(self._planned()[SHARDS])

    def write(self, data: bytes, number: int) -> None:
        """Write a shard's part whole; raises WorkError if the disk is full."""
        write_atomic(self.part(number), lambda file: file.write(data))

    def finish(self, plan: Plan, images: int, skipped: list[Skipped]) -> None:
        """Say in the manifest that all is there, and list what was skipped."""
        if skipped:
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerows([("image_path", "reason"), *skipped])
            write_atomic(
                self.path / SKIPPED, lambda file: file.write(text.getvalue().encode("utf-8", "surrogateescape"))
            )
        self._write(MANIFEST, {"plan": plan, "finished": {"images": images, "skipped": len(skipped)}})

    def _write(self, name: str, record: object) -> None:
        write_atomic(self.path / name, lambda file: file.write(json.dumps(record, indent=2).encode()))

    def _read(self) -> dict[str, object]:
        try:
            record = json.loads((self.path / MANIFEST).read_text("utf-8"))
            if not isinstance(record, dict) or not isinstance(record.get("plan"), dict):
                raise ValueError("it is no manifest")
        except (OSError, ValueError) as error:
            raise WorkError(
                f"{self.path / MANIFEST} cannot be read ({error}): give --overwrite to start anew"
            ) from error
        return record

    def _planned(self) -> dict[str, str]:
        plan = self._read()["plan"]
        assert isinstance(plan, dict)  # `_read` has seen to it
        return {str(name): str(value) for name, value in plan.items()}

    def parts(self) -> dict[int, Part]:
        """The parts that are there; one that cannot be read is not, and its shard is scored again."""
        found: dict[int, Part] = {}
        for entry in self.path.iterdir():
            if named := _PART.fullmatch(entry.name):
                part = _read_part(entry)
                if part is not None and part.shard == int(named[1]):
                    found[part.shard] = part
        return found

    def _require_own(self) -> None:
        """Raise InputError for a file, or for a folder with anything in it that no scoring run has written."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file: with --on, scores are a folder of Parquet files")
        if not self.path.parent.is_dir():
            raise InputError(
                f"cannot write {self.path}: there is no folder {self.path.parent}; make it, or choose another output"
            )
        for entry in self.path.iterdir() if self.path.is_dir() else ():
            if not _OURS.fullmatch(entry.name):
                raise InputError(
                    f"{self.path} holds {entry.name}, which is not of a scoring run: choose another output"
                )


def read_scores(out: str | Path) -> ScoreTable:
    """Read a finished folder of scores into memory, in the order of the source.

    Raises InputError for what is no such folder, or where shards are missing.
    """
    output = Output(Path(out))
    if not (output.path / MANIFEST).is_file() or not output.finished:
        raise InputError(f"{out} holds no finished scores: give a folder that amiss score --on has finished")
    import pyarrow.parquet

    parts = [pyarrow.parquet.read_table(path) for path in sorted(output.path.glob("part-*.parquet"), key=_number)]
    filled = [part for part in parts if part.num_rows] or parts[:1]
    return concatenate([_table({name: part[name] for name in part.column_names}) for part in filled])


class _Column(Protocol):
    def to_numpy(self) -> NDArray[np.generic]: ...
    def to_pylist(self) -> list[str]: ...


def _table(columns: dict[str, _Column]) -> ScoreTable:
    known = {name for name in ScoreTable.__dataclass_fields__ if name != "terms"}
    texts = {name: columns[name].to_pylist() for name in ("image_path", "model") if name in columns}
    numbers = {name: column.to_numpy() for name, column in columns.items() if name not in texts}

    def reals(name: str) -> NDArray[np.float64] | None:
        return numbers[name].astype(np.float64) if name in numbers else None

    return ScoreTable(
        texts["image_path"],
        numbers["pred_score"].astype(np.float64),
        reals("p_value"),
        reals("normal_percentile"),
        numbers["pred_label"].astype(np.int64) if "pred_label" in numbers else None,
        {name: column.astype(np.float64) for name, column in numbers.items() if name not in known},
        texts.get("model"),
    )


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("part-"))


def _read_part(path: Path) -> Part | None:
    try:
        return part_of(path)
    except (OSError, ValueError):
        return None
