"""`amiss fit`: from a folder of normal images to a model file."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss import catalog
from amiss.artifact.file import Artifact, load
from amiss.calibration.conformal import Calibration
from amiss.cli.console import counted, described, note, reporting, require_one, result, skipped_lines
from amiss.cli.deciding import decision_lines, settings_lines
from amiss.cli.learning import LearningOptions
from amiss.cli.options import parse_with_method
from amiss.cli.outputs import discard_parts, require_folder, require_writable
from amiss.cli.report import require_page
from amiss.cli.unfinished import Unfinished
from amiss.contracts import InputError, Method, Progress
from amiss.data.images import Skipped
from amiss.data.reading import Reading
from amiss.detector import Detector
from amiss.engine.processes import alone, together, told
from amiss.engine.progress import Reporter
from amiss.report.fitted import fit_page
from amiss.report.render import write_page
from amiss.sharing import leads


@dataclass(frozen=True, kw_only=True)
class FitOptions(LearningOptions):
    """Learn from normal images alone and write a model; `--method NAME --help` shows that method's own knobs."""

    normal: Annotated[Path, Positional, arg(metavar="NORMAL")]
    """Folder of normal images, or a CSV or Parquet table with image_path."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="MODEL")]
    """Model file to write, usually .safetensors; until the fit is finished, the folder MODEL.fit stands beside it."""
    group_by: Annotated[str | None, arg(metavar="WHAT", help_behavior_hint="")] = None
    """What keeps images together that must not be separated: a table's column, or a pattern found in each path."""
    known: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Known anomalies, for the semi-supervised methods alone: a folder with its subfolders, one image, or a table."""
    report: Annotated[Path | None, arg(metavar="FILE.html", help_behavior_hint="")] = None
    """Page to write besides: how training went, and the training images, the most suspicious first, to be reviewed."""
    report_folds: int = 1
    """Rank the images of the report by so many more fits that have not seen them; 1 takes the model's own scores."""
    resume: bool = False
    """Go on with a fit that was interrupted; starts one where there is none."""
    overwrite: bool = False
    """Replace an existing model once the new one is written, and discard an unfinished fit."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress, and not what was read."""
    verbose: Annotated[bool, arg(aliases=["-v"])] = False
    """Tell the settings in force, and each step in a line of its own."""


def main(arguments: Sequence[str]) -> int:
    """Fit and write a model, with all processes that torchrun started."""
    with together():
        return _main(arguments)


def _main(arguments: Sequence[str]) -> int:
    started = time.perf_counter()
    options, method = parse_with_method(FitOptions, arguments, "fit")
    require_one(quiet=options.quiet, verbose=options.verbose)
    unfinished = Unfinished(options.out)
    begins = _begin(options, unfinished) if leads() else True
    if not told(b"begins" if begins else b""):
        return 0
    try:
        with unfinished.guarding():
            artifact = _fit(options, method, unfinished)
        if leads():
            unfinished.remove()
    finally:
        unfinished.release()
    if leads():
        result(*_summary(artifact, options, time.perf_counter() - started))
    return 0


def _begin(options: FitOptions, unfinished: Unfinished) -> bool:
    """Make ready for the fit; False where nothing is left to do. Raises InputError for an output that cannot be."""
    if options.report_folds < 1:
        raise InputError(f"--report-folds {options.report_folds} is out of range: it must be 1 or more")
    require_page(options.report, overwrite=options.overwrite or options.resume)
    if _finished(options, unfinished):
        result(f"{options.out} is finished already: there is nothing to resume (--overwrite fits anew)")
        unfinished.remove()
        discard_parts(options.out)
        return False
    discard_parts(options.out)
    if options.out.suffix != ".safetensors":
        note(f"{options.out} will be a safetensors file: .safetensors is the usual suffix")
    unfinished.prepare(overwrite=options.overwrite)
    return True


def _finished(options: FitOptions, unfinished: Unfinished) -> bool:
    """Check the output before any work; True where a fit that is to be resumed has written its model already."""
    if options.resume and options.overwrite:
        raise InputError("--resume and --overwrite were both given: the one goes on, the other starts anew")
    if not options.resume:
        require_writable(
            options.out, overwrite=options.overwrite, otherwise="--resume to go on with a fit that was interrupted, "
        )
        if not options.overwrite:
            unfinished.refuse()
        return False
    require_folder(options.out)
    if not options.out.exists() or unfinished.replaces():
        return False
    load(options.out)  # refuses what is not a model, so that --resume never takes it for one
    return True


def _fit(options: FitOptions, method: Method, unfinished: Unfinished) -> Artifact:
    detector = Detector(
        method,
        fpr=options.fpr,
        random_state=options.random_state,
        size=options.size,
        device=options.device,
        precision=options.precision,
        tile=options.tile,
        tile_overlap=options.tile_overlap,
        tile_pool=options.tile_pool,
        keep_images=not options.no_thumbnails,
    )
    quiet = options.quiet or not leads()
    if options.verbose and leads():
        note(*settings_lines(detector))
    with reporting(quiet=quiet, verbose=options.verbose) as reporter:
        detector.fit(
            options.normal,
            reading=Reading(options.recursive, options.group_by, options.on_bad),
            known=options.known,
            workdir=unfinished.path,
            resume=options.resume,
            progress=reporter if quiet else _with_notes(detector, reporter),
        )
        if leads():
            detector.save(options.out)
            if options.report is not None:
                _report(detector, options, reporter)
    return detector.artifact


def _report(detector: Detector, options: FitOptions, progress: Progress) -> None:
    assert options.report is not None
    what, model = str(options.normal), str(options.out)
    with alone():
        made = fit_page(
            detector, what, model=model, folds=options.report_folds, notes=detector.notes, progress=progress
        )
    write_page(made, options.report)


def _with_notes(detector: Detector, reporter: Reporter) -> Progress:
    """Say what was read as soon as that is known, which is before training begins."""
    said: list[str] = []

    def tell(what: str, done: int, total: int, detail: str) -> None:
        if detector.notes and not said:
            said.extend(detector.notes)
            reporter.close()
            note(*said)
        reporter(what, done, total, detail)

    return tell


def _summary(artifact: Artifact, options: FitOptions, seconds: float) -> list[str]:
    data = artifact.record["data"]
    assert isinstance(data, Mapping)  # the detector wrote it
    chosen = f", chose the epoch on {data['held_out']:,}" if data["held_out"] else ""
    known = f" and {counted(data['known_anomalies'], 'known anomalous image')}" if "known_anomalies" in data else ""
    machine = artifact.record["machine"]
    many = f" by {machine['processes']} processes" if isinstance(machine, Mapping) and "processes" in machine else ""
    calibrated = f", calibrated on {data['calibration']:,}" if data["calibration"] else ""
    size = options.out.stat().st_size / 1e6
    return [
        f"{counted(data['images'], 'image')} {_shape(artifact)}: trained on {data['train']:,}"
        + known
        + many
        + chosen
        + calibrated,
        *skipped_lines([Skipped(*bad) for bad in data["skipped"]]),
        *([] if artifact.tiling is None else [str(artifact.tiling)]),
        *_restart_lines(artifact),
        *decision_lines(Calibration(artifact.calibration_scores, artifact.fpr)),
        f"model: {options.out} ({catalog.name_of(artifact.method)}, {size:.1f} MB, {seconds:.0f} s)",
        *([] if options.report is None else [f"report: {options.report}"]),
        f"score new images with: amiss score {_argument(options.out)} IMAGES -o scores.csv",
    ]


def _shape(artifact: Artifact) -> str:
    """What the images are, whole or in tiles."""
    data = artifact.record["data"]
    assert isinstance(data, Mapping)  # the detector wrote it
    tiles = "" if artifact.tiling is None else f"in {data['tiles']:,} tiles "
    return f"{tiles}of {described(artifact.layout)}"


def _argument(path: Path) -> str:
    """How a shell passes a path on, also one that would read as an option."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def _restart_lines(artifact: Artifact) -> list[str]:
    """Say how often training had a dead start and began anew, and what it was warned of."""
    log = artifact.record["log"]
    assert isinstance(log, list)
    times = sum(record["event"] == "restart" for record in log)
    told = [f"training had a dead start and began anew {counted(times, 'time')}"] if times else []
    last = max((i for i, record in enumerate(log) if record["event"] == "restart"), default=-1)
    return [*told, *(f"warning: {record['reason']}" for record in log[last + 1 :] if record["event"] == "warning")]
