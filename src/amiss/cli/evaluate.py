"""`amiss evaluate`: how well a model separates labelled images, and whether its promise held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from tyro.conf import Positional, arg

from amiss import __version__, catalog
from amiss.calibration.table import ScoreTable, concatenate
from amiss.cli.console import counted, note, percent, reporting, require_one, result, share, skipped_lines
from amiss.cli.deciding import decision_lines, load_deciding, settings_lines
from amiss.cli.options import parse
from amiss.cli.outputs import require_writable
from amiss.cli.report import require_page
from amiss.cli.values import Given, attack_radii
from amiss.contracts import InputError, Progress
from amiss.data.atomic import write_atomic
from amiss.data.images import Images, Skipped
from amiss.data.listing import FileSource, list_images
from amiss.data.store import OnBad
from amiss.detector import Detector
from amiss.evaluation.metrics import Threshold
from amiss.evaluation.result import Json, Result
from amiss.evaluation.result import evaluate as measure
from amiss.evaluation.robustness import Attacked, attacked_auroc
from amiss.protocols.labels import Labels
from amiss.report.assemble import Builder
from amiss.report.render import write_page


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a model on labelled images that it was not fitted on."""

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit."""
    images: Annotated[Path | None, Positional, arg(metavar="IMAGES", help_behavior_hint="")] = None
    """Folder with good (or normal, ok) beside other folders, MVTec's train and test, or a table with label; or give:"""
    normal: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Normal images: a folder with its subfolders, one image, or a table."""
    anomalous: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Anomalous images, likewise."""
    out: Annotated[Path | None, arg(aliases=["-o"], metavar="RESULT", help_behavior_hint="")] = None
    """JSON file to write the result to."""
    fpr: Annotated[Given | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """Decide at another false-alarm rate than the model's, from its calibration scores."""
    threshold: Annotated[Given | None, arg(metavar="SCORE", help_behavior_hint="")] = None
    """Decide at a threshold set by hand: images that score above it are labelled 1."""
    report: Annotated[Path | None, arg(metavar="FILE.html", help_behavior_hint="")] = None
    """Page to write: the curves, and the images with their labels, to be looked at and reviewed."""
    attack: Annotated[str | None, arg(metavar="EPS,EPS", help_behavior_hint="")] = None
    """Measure again with the normal images changed by at most EPS (white is 1) so that they score higher."""
    attack_term: Annotated[str | None, arg(metavar="PART", help_behavior_hint="")] = None
    """Attack and measure a part of the score instead of the score."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip and list it."""
    overwrite: bool = False
    """Replace an existing result or page."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress."""
    verbose: Annotated[bool, arg(aliases=["-v"])] = False
    """Tell the settings in force, and each step in a line of its own."""


def main(arguments: Sequence[str]) -> int:
    """Measure a model on labelled images."""
    options = parse(EvaluateOptions, arguments, "evaluate")
    require_one(quiet=options.quiet, verbose=options.verbose)
    if options.attack is None and options.attack_term is not None:
        raise InputError("--attack-term names what is attacked: give --attack EPS too")
    radii = attack_radii(options.attack)
    if options.out is not None:
        require_writable(options.out, overwrite=options.overwrite)
    require_page(options.report, overwrite=options.overwrite)
    detector = load_deciding(options.model, fpr=options.fpr, threshold=options.threshold, device=options.device)
    if options.verbose:
        note(*settings_lines(detector))
    if radii and detector.tiling is not None:
        raise InputError(f"--attack is for models of whole images: {options.model} takes {detector.tiling}")
    sources = _sources(options)
    skipped: list[Skipped] = []
    page = None if options.report is None else Builder(detector)
    with reporting(quiet=options.quiet, verbose=options.verbose) as reporter:
        seen: list[NDArray[np.generic]] = []  # pixels, kept for the attack alone
        tables = [
            _scored(detector, source, what, options, reporter, skipped, seen, page) for what, source in sources.items()
        ]
        table = concatenate(tables)
        labels = np.repeat([0, 1], [len(part) for part in tables])
        test = Labels(labels)
        attacked = _attacked(detector, seen, test, radii, options, reporter)
        if page is not None and options.report is not None:
            notes = [bad.reason for bad in skipped]
            made = page.review(_what(options), model=str(options.model), notes=notes, progress=reporter)
            write_page(made, options.report)
    note(*skipped_lines(skipped))
    threshold = detector.threshold_
    found = measure(
        table.pred_score,
        test,
        terms=table.terms,
        threshold=None if threshold is None else Threshold(threshold, "the model's own"),
    )
    result(*_report(found, detector, table, labels), *_attack_lines(attacked, options))
    if options.out is not None:
        _write(options, found, detector, table, labels, skipped, attacked)
    if options.report is not None:
        note(f"report: {options.report}")
    return 0


def _what(options: EvaluateOptions) -> str:
    """What a page calls the images."""
    return str(options.images) if options.images is not None else f"{options.normal} and {options.anomalous}"


def _sources(options: EvaluateOptions) -> dict[str, FileSource]:
    """Normal and anomalous images, from two folders or from the roles in one; raises InputError for both or neither."""
    two = (options.normal, options.anomalous)
    if options.images is not None and two == (None, None):
        return _roles(options.images)
    if options.images is None and options.normal is not None and options.anomalous is not None:
        return {"normal": options.normal, "anomalous": options.anomalous}
    raise InputError("give --normal and --anomalous, or one folder or table that holds both")


def _roles(images: Path) -> dict[str, FileSource]:
    """Of MVTec's layout, the part for testing; training images would flatter the model."""
    listing = list_images(images)
    chosen = listing.select(np.flatnonzero(listing.test)) if listing.test.any() else listing
    note(*listing.describe())
    parts = {"normal": chosen.part("normal"), "anomalous": chosen.part("anomalous")}
    for what, part in parts.items():
        if not len(part):
            raise InputError(f"{images} lists no {what} images to measure on: give --normal and --anomalous")
    return {what: list(part.paths) for what, part in parts.items()}


def _scored(
    detector: Detector,
    source: FileSource,
    what: str,
    options: EvaluateOptions,
    progress: Progress,
    skipped: list[Skipped],
    seen: list[NDArray[np.generic]],
    page: Builder | None,
) -> ScoreTable:
    found = []
    for table, chunk in detector.score_stream(
        detector.stream(source, on_bad=options.on_bad), terms=True, progress=progress
    ):
        skipped += chunk.skipped
        if len(table):
            found.append(table)
        if page is not None and len(table):
            page.add(table.image_path, table.pred_score, chunk.pixels.numpy(), where="test", truth=what)
        if options.attack and len(table):
            seen.append(chunk.pixels.numpy())
    if not found:
        raise InputError(f"none of the {what} images could be read: {skipped[0].reason}")
    return concatenate(found)


def _attacked(
    detector: Detector,
    seen: list[NDArray[np.generic]],
    labels: Labels,
    radii: Sequence[float],
    options: EvaluateOptions,
    progress: Progress,
) -> list[Attacked]:
    """AUROC for each radius; the images are normal ones, then anomalous ones, as they were scored."""
    if not radii:
        return []
    images = Images(np.concatenate(seen))
    scorer, term = detector.artifact.scorer, options.attack_term
    return attacked_auroc(scorer, images, labels, radii, term=term, progress=progress)


def _attack_lines(attacked: list[Attacked], options: EvaluateOptions) -> list[str]:
    what = "" if options.attack_term is None else f" of {options.attack_term}"
    return [
        f"AUROC{what} with normal images attacked within {row.eps:g}: {row.auroc:.4f} (scores rise by {row.raised:.4g})"
        for row in attacked
    ]


def _report(found: Result, detector: Detector, table: ScoreTable, labels: NDArray[np.int64]) -> list[str]:
    interval = found.auroc_interval
    rows = [
        [
            "AUROC",
            f"{found.auroc:.4f}",
            f"{percent(interval.level)} interval {interval.low:.4f} to {interval.high:.4f}",
        ],
        ["AUPR-in", f"{found.aupr_in:.4f}", f"normal is positive; chance {1 - found.base_rate:.4f}"],
        ["AUPR-out", f"{found.aupr_out:.4f}", f"anomaly is positive; chance {found.base_rate:.4f}"],
        ["FPR95", f"{found.fpr95:.4f}", "normals above the threshold that catches 95 % of anomalies"],
        *([name, f"{value:.4f}", "AUROC of this part of the score"] for name, value in _parts(found).items()),
    ]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    return [
        f"{found.normal:,} normal and {counted(found.anomalous, 'anomalous image')}",
        *(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {meaning}" for name, value, meaning in rows),
        *decision_lines(detector.calibration),
        *_observed(table, labels),
    ]


def _parts(found: Result) -> dict[str, float]:
    return found.terms_auroc if len(found.terms_auroc) > 1 else {}


def _observed(table: ScoreTable, labels: NDArray[np.int64]) -> list[str]:
    if table.pred_label is None:
        return []
    alarms = [int(table.pred_label[labels == label].sum()) for label in (0, 1)]
    return [
        f"false alarms: {share(alarms[0], int((labels == 0).sum()), 'normal image')}",
        f"detected: {share(alarms[1], int((labels == 1).sum()), 'anomalous image')}",
    ]


def _write(
    options: EvaluateOptions,
    found: Result,
    detector: Detector,
    table: ScoreTable,
    labels: NDArray[np.int64],
    skipped: Sequence[Skipped],
    attacked: Sequence[Attacked],
) -> None:
    calibration = detector.calibration
    decided = table.pred_label
    values: dict[str, Json] = {
        "model": str(options.model),
        "method": catalog.name_of(detector.method),
        "amiss": __version__,
        **found.to_json(),
        "threshold": calibration.threshold,
        "fpr": calibration.fpr,
        "calibration_images": calibration.n,
        "false_alarm_rate": None if decided is None else float(decided[labels == 0].mean()),
        "detection_rate": None if decided is None else float(decided[labels == 1].mean()),
        "skipped": [list(bad) for bad in skipped],
        **({"attacked": [asdict(row) for row in attacked]} if attacked else {}),
        **({"attacked_part": options.attack_term} if options.attack_term else {}),
    }
    assert options.out is not None
    text = json.dumps(values, indent=2) + "\n"
    write_atomic(options.out, lambda file: file.write(text.encode()))
    note(f"result: {options.out}")
