"""`amiss calibrate`: a model decides by other normal images than those that its fit set aside; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss.calibration.conformal import Calibration, smallest_rate
from amiss.cli.console import reporting, result
from amiss.cli.deciding import decision_lines
from amiss.cli.options import parse
from amiss.cli.outputs import require_writable
from amiss.cli.values import Given
from amiss.data.store import OnBad
from amiss.detector import Detector


@dataclass(frozen=True)
class CalibrateOptions:
    """Replace a model's calibration images by normal images that training never saw; nothing is trained."""

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit."""
    images: Annotated[Path, Positional, arg(metavar="IMAGES")]
    """New normal images, a fair sample of those to come: a folder with its subfolders, or a table with image_path."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="NEW")]
    """Model file to write."""
    fpr: Annotated[Given | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """Promised false-alarm rate from now on; the model's own decision, if not given."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip it."""
    overwrite: bool = False
    """Replace an existing file once the new model is written."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress."""


def main(arguments: Sequence[str]) -> int:
    """Calibrate anew and write a model."""
    options = parse(CalibrateOptions, arguments, "calibrate")
    require_writable(options.out, overwrite=options.overwrite)
    detector = Detector.load(options.model, device=options.device)
    detector.runtime.resolve()  # names a device that is not there before any image is read
    before = detector.calibration
    with reporting(quiet=options.quiet) as reporter:
        detector.calibrate(options.images, fpr=options.fpr, on_bad=options.on_bad, progress=reporter)
    detector.save(options.out)
    result(*_summary(before, detector, options.out))
    return 0


def _summary(before: Calibration, detector: Detector, out: Path) -> list[str]:
    after, facts = detector.calibration, detector.artifact.record["recalibrated"]
    assert isinstance(facts, dict)  # the detector wrote it
    copies = facts["given"] - facts["images"]
    rows = [("", "before", "after"), *comparison(before, after)]
    return [
        *table(rows),
        *([f"{copies:,} of {facts['given']:,} images are copies of others and do not count"] if copies else []),
        *decision_lines(after),
        f"model: {out}",
    ]


def comparison(before: Calibration, after: Calibration) -> list[tuple[str, ...]]:
    """Say in rows how two calibrations differ."""
    both = (before, after)
    quantiles = [[f"{q:.6g}" for q in _quantiles(c)] or ["-", "-"] for c in both]
    return [
        ("calibration images", *(f"{c.n:,}" for c in both)),
        ("their scores, median", quantiles[0][0], quantiles[1][0]),
        ("their scores, 90 % below", quantiles[0][1], quantiles[1][1]),
        ("smallest possible fpr", *(f"{smallest_rate(c.n)}" if c.n else "-" for c in both)),
        ("threshold", *("none" if c.threshold is None else f"{c.threshold:.6g}" for c in both)),
    ]


def _quantiles(calibration: Calibration) -> list[float]:
    n = calibration.n
    return [float(calibration.scores[min(n - 1, int(q * n))]) for q in (0.5, 0.9)] if n else []


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns under each other: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
