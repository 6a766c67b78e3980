"""Runs one cell: the protocol's task, the fit, the scores, and everything that is known of them as one row."""

from __future__ import annotations

import hashlib
import platform
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import amiss
from amiss import catalog
from amiss.artifact.file import versions
from amiss.bench.cell import Cell, to_json
from amiss.bench.controls import controls
from amiss.bench.results import UNTRAINED, Row
from amiss.contracts import InputError, Progress, Scorer
from amiss.engine.fitting import Fitted, fit
from amiss.engine.progress import silent
from amiss.engine.runtime import Runtime, seeded
from amiss.engine.scoring import score_images, score_terms
from amiss.engine.workdir import Plan, Workdir
from amiss.evaluation.metrics import Threshold, auroc, best_f1_threshold, fpr_at_tpr
from amiss.evaluation.result import Json, evaluate
from amiss.evaluation.robustness import attacked_auroc
from amiss.protocols.labels import METRIC, REPORT
from amiss.protocols.leaks import leaks
from amiss.protocols.task import Source, Task, Trial, hold_out

HELD_OUT = 0.1
"""Share of the training images that is held out where the method asks for it and the protocol names none."""

TPR = 0.995
"""True-positive rate of ARAE's Figure 5."""

MULTIPLES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Of the second weight of a two-part score: GradCon's Figure 7."""

QUANTILES = 41
"""How many quantiles of each part of the score are kept of each side of the first trial."""

Values = dict[str, NDArray[np.float64]]
"""Parts of the score by name, (N,) each."""


def run_cell(
    cell: Cell, source: Source, workdir: Path | None = None, *, device: str = "auto", progress: Progress = silent
) -> Row:
    """Run a cell and return its row, in plain JSON values.

    workdir: where its checkpoints go; one of the same cell, code and number of threads is continued.
    Raises InputError where cell and data do not fit, and WorkError where training breaks down.
    """
    started, processor = time.perf_counter(), time.process_time()
    task = cell.protocol.task(source, cell.seed)
    if cell.select and task.selection is None:
        raise InputError(f"{task.name} has no labelled selection to choose an epoch by: drop `select`")
    marks = list(leaks(task))
    runtime = Runtime(device, seed=cell.seed)
    task = with_held_out(cell, task)
    fitted = _fit(cell, task, runtime, workdir, progress)
    threshold = _threshold(task, fitted.scorer, progress)
    marks += _marks(task)
    trials: dict[str, Json] = {}
    parts: list[Values] = []
    for name, trial in task.trials.items():
        parts.append(score_terms(fitted.scorer, trial.images, progress))
        trials[name] = measured(fitted.scorer, trial, parts[-1], threshold, cell.seed, progress)
    data: list[Json] = [*sorted({name for name, _ in cell.protocol.needs()})]
    row: Row = {
        "key": cell.key,
        "cell": to_json(cell),
        "method": catalog.name_of(cell.method),
        "data": data,
        "task": task.name,
        "train": len(task.train),
        "validation": 0 if task.validation is None else len(task.validation),
        "dropped": task.dropped,
        "trials": trials,
        "controls": {name: dict(_controls(task, trial)) for name, trial in task.trials.items()},
        **_parts(fitted.scorer, parts[0], task.labels.reveal(METRIC)),
        **_attacked(cell, fitted.scorer, task, progress),
        **_training(cell, fitted),
        "selection": selection(cell, task, fitted),
        "marks": list(marks),
        **provenance(runtime),
    }
    if not any(record["event"] == "resume" for record in fitted.log):  # else nobody knows what it cost
        row["seconds"] = round(time.perf_counter() - started, 1)
        row["processor_seconds"] = round(time.process_time() - processor, 1)
    return row


def failure(cell: Cell, error: Exception) -> Row:
    """Row of a cell that cannot be finished: the sentence that says why."""
    return {
        "key": cell.key,
        "cell": to_json(cell),
        "method": catalog.name_of(cell.method),
        "error": str(error),
        **provenance(Runtime("cpu")),
    }


def with_held_out(cell: Cell, task: Task) -> Task:
    """Hold out a part of the training images where the method asks for it and the protocol names none."""
    if task.validation is not None:
        return task
    with seeded(0):
        asks = cell.method.learner(task.train.spec).held_out if not cell.method.semi_supervised else True
    return hold_out(task, HELD_OUT, cell.seed) if asks else task


def _fit(cell: Cell, task: Task, runtime: Runtime, workdir: Path | None, progress: Progress) -> Fitted:
    looked_at = task.selection if cell.select else next(iter(task.trials.values())) if cell.curve else None

    def look(scorer: Scorer) -> float:
        assert looked_at is not None
        purpose = "choice of the epoch" if cell.select else REPORT
        return auroc(score_images(scorer, looked_at.images), looked_at.labels.reveal(purpose))

    if workdir is not None:
        plan = {"cell": cell.key, "code": code(), "threads": str(torch.get_num_threads()), **versions()}
        _open(workdir, plan)
    return fit(
        cell.method,
        task.train.spec,
        task.train,
        task.validation,
        runtime=runtime,
        workdir=workdir,
        on_epoch=None if looked_at is None else look,
        on_last=None if cell.select else cell.curve,
        choose=cell.select,
        progress=progress,
    )


def _open(workdir: Path, plan: Plan) -> None:
    """Go on with what the same code left in the folder; what another left is begun anew."""
    try:
        Workdir(workdir).open(plan, resume=True)
    except InputError:
        shutil.rmtree(workdir)
        Workdir(workdir).open(plan, resume=False)


def _threshold(task: Task, scorer: Scorer, progress: Progress) -> Threshold | None:
    """The threshold that is best for F1, normal positive, on a protocol's labelled selection (GPND, ARAE)."""
    if task.selection is None:
        return None
    images, labels = task.selection
    scores = score_images(scorer, images, progress)
    return best_f1_threshold(scores, labels.reveal("threshold of F1"), positive="normal")


def _marks(task: Task) -> list[str]:
    """What the labels that test were looked at for before the scores were fixed, confessed or not."""
    return [
        f"labels of the trial {name!r} were revealed before it was scored: {', '.join(early)}"
        for name, trial in task.trials.items()
        if (early := [purpose for purpose in trial.labels.purposes if purpose != REPORT])
    ]


def measured(
    scorer: Scorer, trial: Trial, parts: Values, threshold: Threshold | None, seed: int, progress: Progress
) -> dict[str, Json]:
    """All metrics of a trial, of whose scores the parts are known, and the mean score of each side."""
    scores = score_images(scorer, trial.images, progress)
    terms = {name: values for name, values in parts.items() if np.ptp(values) > 0}
    found = evaluate(scores, trial.labels, terms=terms, threshold=threshold, seed=seed).to_json()
    y = trial.labels.reveal(METRIC)
    return {
        **found,
        "image_FPR99.5": fpr_at_tpr(scores, y, tpr=TPR, positive="anomaly"),
        "mean_score": [float(scores[y == side].mean()) for side in (0, 1)],
    }


def _controls(task: Task, trial: Trial) -> Mapping[str, float]:
    return controls(task.train, trial.images, trial.labels.reveal(METRIC))


def _parts(scorer: Scorer, terms: Values, y: NDArray[np.int64]) -> dict[str, Json]:
    """Quantiles of each part (N,) of the score on the first trial, and AUROC with other weights of a two-part score."""
    found: dict[str, Json] = {"quantiles": {name: _quantiles(values, y) for name, values in terms.items()}}
    if len(scorer.weights) == 2:
        (first, a), (second, b) = scorer.weights.items()
        by = {str(m): auroc(a * terms[first] + m * b * terms[second], y) for m in MULTIPLES}
        found["reweighted"] = {"part": second, "weight": b, "auroc": dict(by)}
    return found


def _quantiles(values: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Json]:
    share = np.linspace(0, 1, QUANTILES)
    sides = [np.quantile(values[labels == side], share) for side in (0, 1)]
    return [[float(f"{value:.5g}") for value in side] for side in sides]


def _attacked(cell: Cell, scorer: Scorer, task: Task, progress: Progress) -> dict[str, Json]:
    """AUROC of the first trial by radius of the attack on its normal images."""
    if not cell.attack:
        return {}
    rows = attacked_auroc(scorer, task.test, task.labels, cell.attack, seed=cell.seed, progress=progress)
    return {"attacked": [{"eps": row.eps, "auroc": row.auroc, "raised": row.raised} for row in rows]}


def _training(cell: Cell, fitted: Fitted) -> dict[str, Json]:
    epochs = [record for record in fitted.log if record["event"] == "epoch"]
    last = epochs[-1]["losses"] if epochs else {}
    assert isinstance(last, dict)
    curve = [float(str(record["on_epoch"])) for record in epochs if "on_epoch" in record and not cell.select]
    return {
        "epochs": len(epochs),
        "restarts": sum(record["event"] == "restart" for record in fitted.log),
        "last_losses": {str(name): float(str(loss)) for name, loss in last.items()},
        **({"curve": list(curve)} if curve else {}),
    }


def selection(cell: Cell, task: Task, fitted: Fitted) -> str:
    """Return the rule by which the epoch was chosen, in words."""
    if cell.select:
        assert task.selection is not None
        return f"AUROC of {len(task.selection.images)} labelled validation images, anomalies among them"
    if any(record["event"] == "select" for record in fitted.log):
        return "lowest loss of held-out normal images"
    return "last epoch" if any(record.get("losses") for record in fitted.log) else UNTRAINED


def provenance(runtime: Runtime) -> dict[str, Json]:
    """What a reader needs to run the same again."""
    device = runtime.resolve()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "code": code(),
        "versions": dict(versions()),
        "device": f"{device.type} ({name})",
        "threads": torch.get_num_threads(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def code() -> str:
    """Fingerprint of amiss's own source: 12 hexadecimal characters, equal for equal files."""
    root = Path(amiss.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
