"""Check of resuming: interrupted at any moment and continued by a fresh process, a fit ends with the same bits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from amiss import catalog
from amiss.contracts import ImageSpec, Progress, Scorer
from amiss.engine.workdir import Record, Workdir
from amiss.testing import fresh
from amiss.testing.subject import Subject, require

Event = tuple[str, int, int, str]
"""What the engine tells after each step: what runs, how much is done, how much there is, and the epoch."""

PLAN, STATE, REPORT = "plan.json", "state.pt", "report.json"


class _Interrupted(Exception):  # noqa: N818  not an error
    """Stands for a process that ends."""


def resumes_exactly(subject: Subject) -> None:
    """Interrupted in every phase and between phases, a fresh process ends with the same bits and repeats no epoch."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "end").mkdir()
        events: list[Event] = []
        whole = subject.brief(subject.seeds[0], workdir=folder / "end", progress=_noting(events))
        kept = {"end": whole.log}
        for moment in moments(events):
            kept[str(moment)] = _interrupt(subject, folder / str(moment), moment)
        _continue(subject, folder, list(kept))
        for moment_name, records in kept.items():
            where = f"{subject.name}, interrupted after step {moment_name} of {len(events)} and resumed,"
            _compare(where, folder / moment_name, whole.scorer, whole.log, records, events)


def _noting(events: list[Event]) -> Progress:
    def progress(what: str, done: int, total: int, detail: str) -> None:
        events.append((what, done, total, detail))

    return progress


def moments(events: Sequence[Event]) -> list[int]:
    """Numbers of steps after which to interrupt: the first of every phase, one amid its last epoch, and the last."""
    starts = epochs(events)
    found = {len(events) - 1}
    for start, end in zip(starts, [*starts[1:], len(events)], strict=True):
        _, done, total, _ = events[start]
        if done == 1:
            found.add(start)
        if events[end - 1][1] == total:
            found.add((start + end) // 2)
    return sorted(found)


def epochs(events: Sequence[Event]) -> list[int]:
    """Number of the first step of every epoch."""
    return [
        i
        for i, (what, done, _, detail) in enumerate(events)
        if i == 0 or (what, detail) != (events[i - 1][0], events[i - 1][3]) or done == 1
    ]


def _interrupt(subject: Subject, workdir: Path, moment: int) -> list[Record]:
    """Fit until `moment` steps were reported, and one more was made; return the log that the checkpoint holds."""
    workdir.mkdir()
    told = 0

    def progress(what: str, done: int, total: int, detail: str) -> None:
        nonlocal told
        if told == moment:
            raise _Interrupted
        told += 1

    try:
        subject.brief(subject.seeds[0], workdir=workdir, progress=progress)
    except _Interrupted:
        saved = Workdir(workdir).load()
        return saved[1] if saved else []
    raise AssertionError(f"{subject.name} swallows exceptions, so it cannot be interrupted")


def _continue(subject: Subject, folder: Path, names: Sequence[str]) -> None:
    job = {
        "settings": catalog.to_settings(subject.method),
        "spec": asdict(subject.spec),
        "seeds": subject.seeds,
        "threads": torch.get_num_threads(),
        "workdirs": list(names),
    }
    (folder / PLAN).write_text(json.dumps(job), "utf-8")
    error = fresh.run(work, folder)
    require(error is None, f"{subject.name} cannot be resumed by a fresh process:\n{error}")


def work(folder: Path) -> None:
    """Do a job written by `_continue`: resume each fit, and leave its scorer's state, its log and its steps behind."""
    job = json.loads((folder / PLAN).read_text("utf-8"))
    torch.set_num_threads(job["threads"])
    subject = Subject(catalog.from_settings(job["settings"]), ImageSpec(**job["spec"]), tuple(job["seeds"]))
    for name in job["workdirs"]:
        events: list[Event] = []
        fitted = subject.brief(subject.seeds[0], workdir=folder / name, progress=_noting(events))
        torch.save(fitted.scorer.state_dict(), folder / name / STATE)
        (folder / name / REPORT).write_text(json.dumps({"log": fitted.log, "events": events}), "utf-8")


def _compare(
    where: str, workdir: Path, whole: Scorer, log: list[Record], kept: list[Record], events: Sequence[Event]
) -> None:
    state = torch.load(workdir / STATE, weights_only=True)
    report = json.loads((workdir / REPORT).read_text("utf-8"))
    require(same_state(state, whole.state_dict()), f"{where} does not end with the weights of the uninterrupted fit")
    require(
        _epochs_of(report["log"]) == _epochs_of(log),
        f"{where} logs the epochs {_epochs_of(report['log'])}, not {_epochs_of(log)}",
    )
    finished = [record for record in kept if record["event"] == "epoch"]
    again = [record for record in report["log"] if record["event"] == "epoch"][: len(finished)]
    require(again == finished, f"{where} does not keep the log of its finished epochs")
    starts = [*epochs(events), len(events)]
    left = [list(event) for event in events[starts[len(finished)] :]]
    require(report["events"] == left, f"{where} makes {len(report['events'])} more steps, not {len(left)}")


def _epochs_of(log: list[Record]) -> list[tuple[object, object]]:
    return [(record["phase"], record["epoch"]) for record in log if record["event"] == "epoch"]


def same_state(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two state dictionaries hold the same tensors, bit by bit."""
    return a.keys() == b.keys() and all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a)
