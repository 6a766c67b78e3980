"""`amiss refit`: a model trained anew on what a review leaves of its training images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from amiss.artifact.file import load
from amiss.calibration.table import ScoreRow, ScoreTable
from amiss.cli.calibrate import comparison, table
from amiss.cli.console import counted, note, reporting, require_one, result
from amiss.cli.deciding import decision_lines, settings_lines
from amiss.cli.options import parse
from amiss.cli.outputs import discard_parts, require_folder, require_writable
from amiss.cli.unfinished import Unfinished
from amiss.contracts import InputError
from amiss.data.listing import list_images
from amiss.data.origin import Origin
from amiss.data.reading import Reading
from amiss.data.review import MARKS, Review, locate, read_review
from amiss.detector import Detector

SHOWN = 20
"""Most reviewed images of each mark that are shown one by one."""


@dataclass(frozen=True)
class RefitOptions:
    """Train anew after a review: images marked anomaly leave, those marked normal join, and the rate is calibrated."""

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit or amiss refit."""
    review: Annotated[Path, Positional, arg(metavar="REVIEW")]
    """CSV file with image_path and review: normal, anomaly or unsure; made by ticking the page of amiss score."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="NEW")]
    """Model file to write; until the fit is finished, the folder NEW.fit stands beside it."""
    normal: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """The training images, where they are no longer where the model remembers them."""
    known: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Known anomalies of a semi-supervised model, likewise."""
    recursive: bool = False
    """As for amiss fit; the model remembers it."""
    group_by: Annotated[str | None, arg(metavar="WHAT", help_behavior_hint="")] = None
    """As for amiss fit; the model remembers it."""
    on_bad: Literal["stop", "skip", "remembered"] = "remembered"
    """What to do with a file that cannot be read: stop and name it, skip it, or what the model remembers."""
    resume: bool = False
    """Go on with a refit that was interrupted; starts one where there is none."""
    overwrite: bool = False
    """Replace an existing file once the new model is written, and discard an unfinished fit."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress, and not what was read."""
    verbose: Annotated[bool, arg(aliases=["-v"])] = False
    """Tell the settings in force, and each step in a line of its own."""


def main(arguments: Sequence[str]) -> int:
    """Fit after a review and write a model."""
    started = time.perf_counter()
    options = parse(RefitOptions, arguments, "refit")
    require_one(quiet=options.quiet, verbose=options.verbose)
    unfinished = Unfinished(options.out)
    if _finished(options, unfinished):
        result(f"{options.out} is finished already: there is nothing to resume (--overwrite fits anew)")
        unfinished.remove()
        discard_parts(options.out)
        return 0
    review = read_review(options.review)
    old = Detector.load(options.model, device=options.device)
    if options.verbose:
        note(*settings_lines(old))
    discard_parts(options.out)
    unfinished.prepare(overwrite=options.overwrite)
    try:
        lines = _refit(old, review, options, unfinished)
        unfinished.remove()
    finally:
        unfinished.release()
    result(*lines, f"model: {options.out} ({time.perf_counter() - started:.0f} s)")
    return 0


def _finished(options: RefitOptions, unfinished: Unfinished) -> bool:
    """Check the output before any work; True where a refit that is to be resumed has written its model already."""
    if options.resume and options.overwrite:
        raise InputError("--resume and --overwrite were both given: the one goes on, the other starts anew")
    if not options.resume:
        otherwise = "--resume to go on with a refit that was interrupted, "
        require_writable(options.out, overwrite=options.overwrite, otherwise=otherwise)
        if not options.overwrite:
            unfinished.refuse()
        return False
    require_folder(options.out)
    if not options.out.exists() or unfinished.replaces():
        return False
    load(options.out)  # refuses what is not a model, so that --resume never takes it for one
    return True


def _refit(old: Detector, review: Review, options: RefitOptions, unfinished: Unfinished) -> list[str]:
    """Fit, write, and compare; what an interrupted fit has done is kept, and nothing where the call was wrong."""
    given = Origin.of_record(old.artifact.record)
    reading = Reading(
        options.recursive or given.reading.recursive,
        options.group_by or given.reading.group_by,
        given.reading.on_bad if options.on_bad == "remembered" else options.on_bad,
    )
    with unfinished.guarding():
        with reporting(quiet=options.quiet, verbose=options.verbose) as reporter:
            new = old.refit(
                review,
                options.normal,
                reading=reading,
                known=options.known,
                workdir=unfinished.path,
                resume=options.resume,
                progress=reporter,
            )
        lines = _report(old, new, review, reading)
        new.save(options.out)
    if not options.quiet:
        note(*new.notes)
    return lines


def _report(old: Detector, new: Detector, review: Review, reading: Reading) -> list[str]:
    parts = [(f"images {what}", *(_count(d, key) for d in (old, new))) for what, key in _PARTS.items()]
    return [
        *table([("", "before", "after"), *parts, *comparison(old.calibration, new.calibration)]),
        *_images(old, new, review, reading),
        *(
            ["calibrated on training images again: amiss calibrate was run on the old model, run it on the new one"]
            if "recalibrated" in old.artifact.record
            else []
        ),
        *decision_lines(new.calibration),
    ]


_PARTS = {"used": "images", "trained on": "train", "held out": "held_out"}


def _count(detector: Detector, key: str) -> str:
    data = detector.artifact.record.get("data")
    return f"{data[key]:,}" if isinstance(data, Mapping) and key in data else "-"


def _images(old: Detector, new: Detector, review: Review, reading: Reading) -> list[str]:
    """How the reviewed images score before and after, by mark."""
    origin = Origin.of_record(new.artifact.record)
    lines: list[str] = []
    if not review.marks or origin.normal is None:
        return lines
    listing = list_images(origin.normal, recursive=reading.recursive, group_by=reading.group_by).normal()
    files = locate(listing, review)
    for mark in MARKS:
        paths = {files[path]: path for path, given in review.marks.items() if given == mark}
        if not paths:
            continue
        before, after = (detector.score(list(paths), on_bad=reading.on_bad) for detector in (old, new))
        lines.append(f"marked {mark}: {counted(len(after), 'image')}{_above(before, after)}")
        rows = [(paths[b.image_path], _cell(b), "->", _cell(a)) for b, a in zip(before, after, strict=True)]
        lines += [f"  {line}" for line in table(rows[:SHOWN])]
        lines += [f"  and {len(rows) - SHOWN:,} more"] if len(rows) > SHOWN else []
    return lines


def _above(before: ScoreTable, after: ScoreTable) -> str:
    if before.pred_label is None or after.pred_label is None:
        return ""
    return f", {before.pred_label.sum():,} above the threshold before and {after.pred_label.sum():,} after"


def _cell(row: ScoreRow) -> str:
    return f"{row.pred_score:.6g}" + ("" if row.p_value is None else f" (p {row.p_value:.3g})")
