"""Runs a learner's phases: epochs, model selection by held-out normals, checkpoints, exact resume."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import ImageSpec, InputError, Learner, Method, Phase, Progress, Scorer, WorkError
from amiss.engine import health, processes
from amiss.engine.batches import Batches, batch
from amiss.engine.progress import silent
from amiss.engine.runtime import Runtime, derive, keep_workspace, order, place, seeded
from amiss.engine.state import State, capture, copy_tensors, install, restore
from amiss.engine.workdir import Record, Workdir
from amiss.sharing import add_up, dividing, group, leads

SAMPLE = 256
"""Training images on which a network and the finished detector are checked."""

RESTARTS = 20
"""How often training may begin anew from other initial weights after a dead start."""

EARLY = 5
"""Epochs of a phase in which standing still means a dead start; later it may mean that nothing is left to learn."""


@dataclass(frozen=True)
class Fitted:
    """A frozen scorer in eval mode, and the log of its training."""

    scorer: Scorer
    log: list[Record]


@dataclass
class _Run:
    """One fit under way."""

    learner: Learner
    train: Batches
    held_out: Batches | None
    runtime: Runtime
    device: torch.device
    progress: Progress
    workdir: Workdir | None
    check: bool
    other_start: bool
    on_epoch: Callable[[Scorer], float] | None
    on_last: int | None
    choose: bool
    log: list[Record] = field(default_factory=list)
    best: State | None = None
    best_value: float = math.inf

    def save(self, phase: int, epochs: int) -> None:
        processes.agree("weights", lambda: processes.checksum(self.learner))
        if self.workdir is None or not leads():
            return
        best: dict[str, object] = {"best": self.best, "best_value": self.best_value}
        at: dict[str, object] = {"phase": phase, "epochs": epochs, "processes": group().count}
        self.workdir.save({**at, **best, **capture(self.learner)}, self.log)

    def load(self, state: State) -> None:
        restore(self.learner, state)
        place(self.learner, self.device)
        best, value = state["best"], state["best_value"]
        self.best = best if isinstance(best, dict) else None
        self.best_value = value if isinstance(value, float) else math.inf


def fit(
    method: Method,
    spec: ImageSpec,
    train: Batches,
    held_out: Batches | None = None,
    *,
    runtime: Runtime | None = None,
    workdir: Path | None = None,
    max_epochs: int | None = None,
    check: bool = True,
    progress: Progress = silent,
    on_epoch: Callable[[Scorer], float] | None = None,
    on_last: int | None = None,
    choose: bool = False,
    known: Batches | None = None,
) -> Fitted:
    """Train a method on normal images and return its scorer.

    held_out: normal images for selection and held-out phases. workdir: folder for checkpoints; a checkpoint found there
    is continued, and training ends with bit-equal weights. max_epochs: caps every phase, 0 leaves the method untrained.
    check: whether signs of broken training raise; after a dead start training begins anew first, from other initial
    weights and as the method's `again` says, and the log tells. on_epoch: called with the scorer after every epoch, or
    after each phase's last `on_last` epochs, and logged; it serves protocols that look at labels, whose results must
    say so. choose: whether each phase keeps the epoch of its highest value, instead of the one of the lowest held-out
    loss. known: anomalies, for semi-supervised methods alone.
    Raises InputError for images that the method cannot take and WorkError if training breaks down.
    """
    runtime = runtime or Runtime()
    device = runtime.resolve()
    anomalies = _known(method, known, device)
    keep_workspace()
    folder = Workdir(workdir) if workdir else None
    saved = folder.load() if folder else None
    state, log = saved or (None, [])
    while True:
        restarts = sum(record["event"] == "restart" for record in log)
        tried = _after(restarts, method)
        with seeded(derive(runtime.seed, "init", *([restarts] if restarts else []))):
            learner = tried.learner(spec, anomalies)
            place(learner, device)
            processes.check(learner, device)
            run = _Run(
                learner,
                train,
                held_out,
                runtime,
                device,
                progress,
                folder,
                check,
                tried.again() is not None,
                on_epoch,
                on_last,
                choose,
                log,
            )
            try:
                _phases(run, state, max_epochs)
                return Fitted(_finish(run, trained=max_epochs != 0), run.log)
            except health.StallError as error:
                if restarts == RESTARTS:
                    raise
                log.append({"event": "restart", "reason": str(error)})
                state = None


def _after(restarts: int, method: Method) -> Method:
    """The hyperparameters with which training begins after so many dead starts."""
    for _ in range(restarts):
        method = method.again() or method
    return method


def _known(method: Method, known: Batches | None, device: torch.device) -> Tensor | None:
    """Known anomalies (N, C, H, W) in [0, 1]; raises InputError where a semi-supervised method has none."""
    if method.semi_supervised and (known is None or not len(known)):
        raise InputError(f"{type(method).__name__} with these settings learns from known anomalies too: give some")
    return None if known is None else batch(known, np.arange(len(known)), device)


def _phases(run: _Run, state: State | None, max_epochs: int | None) -> None:
    at, done = -1, 0
    if state is not None:
        at, done = int(str(state["phase"])), int(str(state["epochs"]))
        run.load(state)  # so that code between finished phases finds a trained learner when it runs again
        run.log.append({"event": "resume", "phase": at, "epochs_kept": done, **_other_count(state)})
    for number, phase in _numbered(run):
        if number < at:
            continue
        if number == at and state is not None:
            run.load(state)  # the replayed code between phases leaves no trace
        epochs = _epochs(run, phase) if max_epochs is None else min(_epochs(run, phase), max_epochs)
        _phase(run, number, phase, epochs, done if number == at else 0)


def _other_count(state: State) -> Record:
    """How many processes go on, and how many there were, where that differs: then the last digits of the result do."""
    before, now = state.get("processes", 1), group().count
    return {} if before == now else {"processes": now, "processes_before": before}


def _images(run: _Run, phase: Phase) -> Batches:
    images = run.train if phase.on == "train" else run.held_out
    if images is None or (run.learner.held_out and run.held_out is None):
        raise WorkError(f"the phase {phase.name!r} needs normal images held out of training, and none were given")
    return images


def _epochs(run: _Run, phase: Phase) -> int:
    """Epochs of a phase: as it says, and as many as its least number of steps needs."""
    return max(phase.epochs, math.ceil(phase.steps / max(1, len(_starts(len(_images(run, phase)), phase)))))


def _starts(n: int, phase: Phase) -> range:
    """Where each minibatch of n images starts."""
    starts = range(0, n, phase.batch_size)
    return starts[:-1] if phase.drop_last and n % phase.batch_size else starts


def _numbered(run: _Run) -> Iterator[tuple[int, Phase]]:
    """Phases with their numbers; the code before each runs under a seed of its own."""
    phases = iter(run.learner.phases())
    number = 0
    while True:
        torch.manual_seed(derive(run.runtime.seed, "between", number))
        phase = next(phases, None)
        if phase is None:
            return
        yield number, phase
        number += 1


def _phase(run: _Run, number: int, phase: Phase, epochs: int, done: int) -> None:
    images = _images(run, phase)
    if done == 0:
        run.best, run.best_value = None, math.inf
    for epoch in range(done, epochs):
        started = time.perf_counter()
        where = f"epoch {epoch + 1} of the phase {phase.name!r}"
        with health.moving(run.learner, where) if run.check and epoch == 0 else nullcontext():
            losses = _epoch(run, number, phase, images, epoch, epochs)
        health.check_finite(losses, where)
        if run.check and 0 < epoch < EARLY:
            _check_progress(run, phase, losses, where)
        if run.check:
            _check_alive(run, phase, epoch, len(_starts(len(images), phase)))
        record: Record = {"event": "epoch", "phase": phase.name, "epoch": epoch + 1, "losses": losses}
        record |= _select(run, phase, where)
        if run.on_epoch is not None and (run.on_last is None or epochs - epoch <= run.on_last):
            record["on_epoch"] = value = run.on_epoch(_freeze(run.learner))
            if run.choose:
                _keep(run, -value)
        run.log.append({**record, "seconds": round(time.perf_counter() - started, 3)})
        run.save(number, epoch + 1)
    if run.best is not None:
        install(run.learner, run.best)
        run.log.append({"event": "select", "phase": phase.name, "criterion": run.best_value})
    run.best, run.best_value = None, math.inf


def _check_progress(run: _Run, phase: Phase, losses: dict[str, float], where: str) -> None:
    """Compare an epoch's losses with those of the epoch before, which stands last in the log."""
    last = [record for record in run.log if record["event"] == "epoch" and record["phase"] == phase.name][-1]["losses"]
    if isinstance(last, dict) and last.keys() == losses.keys():
        health.check_progress(last, losses, where)


def _check_alive(run: _Run, phase: Phase, epoch: int, steps: int) -> None:
    """After the epoch (of so many steps) with the step ALIVE: is every image restored to one and the same picture?

    Raises StallError if so and the method knows another start; else the log holds a warning.
    """
    if not epoch * steps < health.ALIVE <= (epoch + 1) * steps:
        return
    run.learner.eval()
    with seeded(0):
        sign = health.one_picture(run.learner, _sample(run))
    if sign is None:
        return
    reason = f"{sign}, after epoch {epoch + 1} of the phase {phase.name!r}"
    if run.other_start:
        raise health.StallError(reason)
    run.log.append({"event": "warning", "reason": reason})


def _sample(run: _Run) -> Tensor:
    """A few training images (B, C, H, W) in [0, 1], evenly spaced among them."""
    index = np.linspace(0, len(run.train) - 1, min(SAMPLE, len(run.train))).round().astype(np.int64)
    return batch(run.train, index, run.device)


def _epoch(run: _Run, number: int, phase: Phase, images: Batches, epoch: int, epochs: int) -> dict[str, float]:
    """Run the step on every minibatch; return each loss's mean over images."""
    torch.manual_seed(derive(run.runtime.seed, "draws", number, epoch))
    visit = order(len(images), run.runtime.seed, number, epoch)
    starts = _starts(len(visit), phase)
    if not len(starts):
        raise WorkError(f"the phase {phase.name!r} needs at least {phase.batch_size} images a batch, got {len(visit)}")
    run.learner.train()
    sums: dict[str, Tensor] = {}
    seen = 0
    told = f"epoch {epoch + 1}{_last_losses(run, phase, epoch)}"
    for i, start in enumerate(starts):
        index = visit[start : start + phase.batch_size]
        run.learner.clock = epoch + i / len(starts)
        run.learner.elapsed = run.learner.clock / epochs
        with run.runtime.autocast(), dividing(len(index), divisible=phase.divisible) as mine:
            losses = phase.step(batch(images, index[mine.rows], run.device))
        for name, loss in losses.items():
            sums[name] = sums.get(name, torch.zeros((), device=run.device)) + loss.detach() * mine.count
        seen += len(index)
        run.progress(f"training ({phase.name})", epoch * len(starts) + i + 1, epochs * len(starts), told)
    run.learner.clock, run.learner.elapsed = float(epoch + 1), (epoch + 1) / epochs
    if phase.after_epoch is not None:
        phase.after_epoch()
    if phase.divisible:
        add_up(list(sums.values()))
    return {name: (total / seen).item() for name, total in sums.items()}


def _last_losses(run: _Run, phase: Phase, done: int) -> str:
    """The losses of the phase's epoch before, for people: `, recon 0.0123`; nothing where none is done."""
    for record in reversed(run.log) if done else ():
        losses = record.get("losses")
        if record["event"] == "epoch" and record["phase"] == phase.name and isinstance(losses, dict):
            return "".join(f", {name} {value:.4g}" for name, value in losses.items())
    return ""


def _select(run: _Run, phase: Phase, where: str) -> dict[str, object]:
    """Evaluate the criterion on held-out normals and keep the learner if it is the best of its phase."""
    if run.held_out is None or not run.learner.held_out:
        return {}
    run.learner.eval()
    total = 0.0
    for start in range(0, len(run.held_out), phase.batch_size):
        index = np.arange(start, min(start + phase.batch_size, len(run.held_out)))
        with dividing(len(index), divisible=phase.divisible) as mine:
            value = run.learner.criterion(batch(run.held_out, index[mine.rows], run.device))
        if value is None:
            return {}
        total += value.item() * mine.count
    everyones = torch.tensor(total, dtype=torch.float64)
    if phase.divisible:
        add_up([everyones])
    criterion = everyones.item() / len(run.held_out)
    health.check_finite({"held-out criterion": criterion}, where)
    if not run.choose:
        _keep(run, criterion)
    return {"criterion": criterion}


def _keep(run: _Run, value: float) -> None:
    """Keep the learner as it is now if no epoch of its phase had a lower value."""
    if value < run.best_value:
        run.best_value, run.best = value, copy_tensors(run.learner.state_dict())


def _finish(run: _Run, *, trained: bool) -> Scorer:
    """Freeze the scorer, after a look at what it does to a few training images."""
    run.learner.eval()
    scorer = _freeze(run.learner)
    if run.check and trained:
        x = _sample(run)
        with seeded(0):
            health.check_vitals(run.learner, x)
        with torch.no_grad():  # negatives too: to a density estimate, its own training images may all be alike
            health.check_scores(torch.cat([scorer(part) for part in torch.split(torch.cat([x, 1 - x]), 64)]))
    return scorer


def _freeze(learner: Learner) -> Scorer:
    """A copy of the learner's scorer that training does not change."""
    with seeded(0):
        scorer = copy.deepcopy(learner.scorer())
    return scorer.requires_grad_(False).eval()
