"""`amiss demo`: the main job on real images that come with amiss, beside two simple baselines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import arg

from amiss.calibration.table import ScoreTable
from amiss.cli.console import note, reporting, result, share
from amiss.cli.deciding import decision_lines
from amiss.cli.options import parse
from amiss.cli.outputs import require_folder, require_writable
from amiss.contracts import InputError, Progress
from amiss.data.demo import Demo, load_demo
from amiss.detector import Detector
from amiss.evaluation.metrics import Threshold
from amiss.evaluation.result import Result
from amiss.evaluation.result import evaluate as measure
from amiss.methods.gradcon import GradCon
from amiss.protocols.labels import Labels
from amiss.report.assemble import ANOMALOUS, NORMAL, Builder
from amiss.report.render import write_page

EPOCHS = 40
FPR = 0.05
BASELINES = {"knn": "kNN on raw pixels", "pca": "PCA on raw pixels"}


@dataclass(frozen=True)
class DemoOptions:
    """Fit GradCon on bundled pictures of T-shirts, decide at 5 % false alarms, and score other T-shirts and clothes."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("amiss-demo")
    """Folder for the model, the scores, and a page to look at."""
    overwrite: bool = False
    """Replace what is there of them."""
    epochs: int = EPOCHS
    """Passes over the training images."""


def main(arguments: Sequence[str]) -> int:
    """Do the main job on the bundled images."""
    started = time.perf_counter()
    options = parse(DemoOptions, arguments, "demo")
    model, scores, page = _outputs(options.out, overwrite=options.overwrite)
    demo = load_demo()
    note(
        f"{len(demo.train):,} T-shirts of Fashion-MNIST to learn from; to be scored: "
        f"{int((demo.test_labels == 0).sum())} unseen T-shirts and {int(demo.test_labels.sum())} other pieces"
    )
    with reporting() as reporter:
        detector, table = _run(Detector(GradCon(epochs=options.epochs), fpr=FPR, random_state=0), demo, reporter)
        options.out.mkdir(exist_ok=True)
        detector.save(model)
        table.save(scores)
        found = {"GradCon": _measure(detector, table, demo)}
        for name, title in BASELINES.items():
            found[title] = _measure(*_run(Detector(name, fpr=FPR, random_state=0), demo, reporter), demo)
        _page(detector, table, demo, model, page, reporter)
    result(*_report(found, detector, table, demo))
    result(
        f"time taken: {time.perf_counter() - started:.0f} s",
        f"model: {model}",
        f"scores: {scores}",
        f"page, to open in a browser: {page}",
        "next, with your own images: amiss fit FOLDER -o model.safetensors",
    )
    return 0


def _outputs(folder: Path, *, overwrite: bool) -> tuple[Path, Path, Path]:
    """Paths of the model, the scores and the page; raises InputError before any work if one cannot be written."""
    paths = folder / "gradcon.safetensors", folder / "scores.csv", folder / "report.html"
    if folder.is_dir():
        for path in paths:
            require_writable(path, overwrite=overwrite)
    elif folder.exists():
        raise InputError(f"{folder} is not a folder: choose another --out")
    else:
        require_folder(folder)
    return paths


def _run(detector: Detector, demo: Demo, progress: Progress) -> tuple[Detector, ScoreTable]:
    """Fit on all training images, of which some calibrate, and score the test images."""
    detector.fit(demo.train.take(np.arange(len(demo.train))), progress=progress)
    table = detector.score(demo.test.take(np.arange(len(demo.test))), terms=True, progress=progress)
    return detector, replace(table, image_path=[demo.test.name(i) for i in range(len(demo.test))])


def _page(detector: Detector, table: ScoreTable, demo: Demo, model: Path, path: Path, progress: Progress) -> None:
    """Write the page of the scored images, normal and anomalous ones apart."""
    builder, names = Builder(detector), np.array(table.image_path)
    for label, truth in enumerate((NORMAL, ANOMALOUS)):
        rows = np.flatnonzero(demo.test_labels == label)
        pixels = demo.test.take(rows).numpy()
        builder.add(list(names[rows]), table.pred_score[rows], pixels, where="test", truth=truth)
    page = builder.review("T-shirts and other clothes", model=str(model), progress=progress)
    write_page(page, path)


def _measure(detector: Detector, table: ScoreTable, demo: Demo) -> Result:
    threshold = detector.threshold_
    own = None if threshold is None else Threshold(threshold, "the model's own")
    return measure(table.pred_score, Labels(demo.test_labels), threshold=own)


def _report(found: dict[str, Result], detector: Detector, table: ScoreTable, demo: Demo) -> list[str]:
    width = max(map(len, found))
    intervals = {title: result.auroc_interval for title, result in found.items()}
    labels = detector.calibration.predict(table.pred_score)
    alarms, caught = (int(labels[demo.test_labels == label].sum()) for label in (0, 1))
    return [
        "AUROC, with a 95 % bootstrap interval:",
        *(
            f"  {title:<{width}}  {result.auroc:.3f}  {intervals[title].low:.3f} to {intervals[title].high:.3f}"
            for title, result in found.items()
        ),
        *_compared(found),
        *decision_lines(detector.calibration),
        f"observed false alarms: {share(alarms, int((demo.test_labels == 0).sum()), 'unseen normal image')}",
        f"detected: {share(caught, int(demo.test_labels.sum()), 'anomalous image')}",
    ]


def _compared(found: dict[str, Result]) -> list[str]:
    """Say where GradCon stands, whichever way the numbers fall."""
    own, *others = found
    a = found[own]
    lines = []
    for other in others:
        b = found[other]
        difference = round(a.auroc - b.auroc, 3)
        apart = max(a.auroc_interval.low, b.auroc_interval.low) > min(a.auroc_interval.high, b.auroc_interval.high)
        sure = "their intervals do not overlap" if apart else "their intervals overlap"
        word = "ahead of" if difference > 0 else "behind" if difference < 0 else "level with"
        lines.append(f"  {own} is {word} {other} by {abs(difference):.3f} here; {sure}")
    return lines
