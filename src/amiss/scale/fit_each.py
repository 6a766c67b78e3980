"""Fits a detector for every subfolder; one that fails does not stop the others, and finished ones are kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from amiss.contracts import InputError, Progress
from amiss.data.atomic import write_atomic
from amiss.data.claim import claimed
from amiss.engine.progress import silent
from amiss.scale.each import SUFFIX, Answer, Asked, Job, Row, fingerprint, finished, fit_job, read_answer, subfolders

TABLE = "fits.csv"
"""The table of the last call, beside the models."""

Fitter = Callable[[Sequence[Job], Progress], Generator[tuple[Job, Answer]]]
"""Fits jobs, and yields each with its answer, in any order."""


@dataclass(frozen=True)
class FitEach:
    """Detectors for the subfolders of `root`, written to `models` as NAME.safetensors."""

    root: Path
    models: Path
    asked: Asked
    device: str = "auto"
    overwrite: bool = False
    """Fit anew where a model was made of other images or settings; those made of the same are kept all the same."""

    def run(self, fitter: Fitter, progress: Progress = silent) -> list[Row]:
        """Fit what is not there yet, and return a row for each subfolder, by name; `models` holds them as fits.csv too.

        Raises InputError where nothing can be done at all: no subfolders, an output that is in the way.
        """
        found = subfolders(self.root)
        self._require()
        with claimed(self.models) as mine:
            if not mine:
                raise InputError(f"another fit-each writes to {self.models}: wait, or choose another output")
            rows, jobs = self._sorted_out(found)
            try:
                self._fit(jobs, fitter, rows, progress)
            except KeyboardInterrupt:
                kept = f"{self.models} keeps the models that are finished; the same call goes on with the others"
                raise KeyboardInterrupt(f"interrupted: {kept}") from None
            table = [rows[name] for name in sorted(rows)]
            write_atomic(self.models / TABLE, lambda file: file.write(to_csv(table).encode()))
        return table

    def _fit(self, jobs: Sequence[Job], fitter: Fitter, rows: dict[str, Row], progress: Progress) -> None:
        total = len(rows) + len(jobs)
        if not jobs:
            return
        with closing(fitter(jobs, progress)) as answers:
            for job, answer in answers:
                rows[job.name] = self._row(job, answer)
                progress("fitting", len(rows), total, f"{job.name} {rows[job.name].status}")

    def _require(self) -> None:
        self.asked.settings("cpu").require_known(given=False)
        if self.models.exists() and not self.models.is_dir():
            raise InputError(f"{self.models} is a file: name a folder for the models")
        if not self.models.absolute().parent.is_dir():
            raise InputError(f"cannot write {self.models}: there is no folder {self.models.parent}; make it first")
        if self.models.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"{self.models} lies in {self.root}, and would be fitted on: choose another output")

    def _sorted_out(self, found: Sequence[tuple[str, Path]]) -> tuple[dict[str, Row], list[Job]]:
        """What needs no fit, or cannot have one, and what remains to be fitted."""
        rows: dict[str, Row] = {}
        jobs: list[Job] = []
        for name, folder in found:
            try:
                plan = self.asked.plan(fingerprint(folder, self.asked.reading))
                model = self._kept(name, plan)
            except InputError as error:
                rows[name] = Row(name, "failed", error=str(error))
                continue
            if model is not None:
                rows[name] = model
            else:
                jobs.append(Job(name, str(folder), self.asked, self.device, plan))
        return rows, jobs

    def _kept(self, name: str, plan: dict[str, str]) -> Row | None:
        try:
            artifact = finished(self._path(name), plan)
        except InputError:
            if self.overwrite:
                return None
            raise
        return None if artifact is None else Row.of(name, "kept", artifact)

    def _row(self, job: Job, answer: Answer) -> Row:
        if answer.error:
            return Row(job.name, "failed", seconds=answer.seconds, error=answer.error)
        write_atomic(self._path(job.name), lambda file: file.write(answer.model))
        return Row.of(job.name, "fitted", read_answer(answer, job.name), answer.seconds)

    def _path(self, name: str) -> Path:
        return self.models / f"{name}{SUFFIX}"


def here(jobs: Sequence[Job], progress: Progress) -> Generator[tuple[Job, Answer]]:
    """The fitter that works in this process, one job after the other."""
    for job in jobs:
        yield job, fit_job(job, _under(job.name, progress))


def _under(name: str, progress: Progress) -> Progress:
    return lambda what, done, total, detail: progress(f"{name}: {what}", done, total, detail)


def to_csv(rows: Sequence[Row]) -> str:
    """The table as CSV; what is not known is empty."""
    text = io.StringIO()
    names = [field.name for field in fields(Row)]
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(names)
    lines.writerows([getattr(row, name) for name in names] for row in rows)
    return text.getvalue()
