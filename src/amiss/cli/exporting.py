"""The half of `amiss export` that needs torch: from a model file to an ONNX file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss.cli.console import counted, described, reporting, result
from amiss.cli.deciding import decision_lines, load_deciding
from amiss.cli.options import parse
from amiss.cli.outputs import discard_parts, require_writable
from amiss.cli.values import Given
from amiss.contracts import InputError
from amiss.export.write import Exported, export_onnx

SUFFIX = ".onnx"


@dataclass(frozen=True)
class ExportOptions:
    """Write a model as one ONNX file that decides alike; nothing is written where its scores or decisions differ.

    `amiss export --check FILE.onnx IMAGES` verifies such a file where there is no torch; --check --help tells more.
    """

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="FILE.onnx")]
    """File to write."""
    images: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Images to compare on; by default those that calibrated, if they are still there, or thumbnails in the model."""
    fpr: Annotated[Given | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """Decide at another false-alarm rate than the model's, from its calibration scores."""
    threshold: Annotated[Given | None, arg(metavar="SCORE", help_behavior_hint="")] = None
    """Decide at a threshold set by hand: images that score above it are labelled 1."""
    overwrite: bool = False
    """Replace an existing file once the new one is written."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress."""


def main(arguments: Sequence[str]) -> int:
    """Export a model."""
    options = parse(ExportOptions, arguments, "export")
    started = time.perf_counter()
    if options.out.suffix.lower() != SUFFIX:
        raise InputError(f"cannot export to {options.out}: its name must end in {SUFFIX}")
    require_writable(options.out, overwrite=options.overwrite)
    discard_parts(options.out)
    detector = load_deciding(options.model, fpr=options.fpr, threshold=options.threshold, device="cpu")
    with reporting(quiet=options.quiet) as reporter:
        exported = export_onnx(detector, options.out, images=options.images, progress=reporter)
    result(*_summary(exported), *decision_lines(detector.calibration))
    result(
        f"{options.out}: {exported.size / 1e6:.1f} MB, images (N, C, H, W) of {described(detector.layout)}, to "
        f"{', '.join(exported.outputs)}; written in {time.perf_counter() - started:.1f} s"
    )
    return 0


def _summary(exported: Exported) -> list[str]:
    parity = exported.parity
    sizes = f"{', '.join(map(str, parity.batches[:-1]))} and {parity.batches[-1]}"
    lines = [
        f"compared on {parity.images:,} {parity.what}, in batches of {sizes}, with {parity.runtime}",
        f"scores: largest difference {parity.largest:.1e} of the spread; {counted(parity.beyond, 'image')} beyond "
        f"{parity.tolerance:.2g}",
    ]
    if exported.facts.threshold is not None:
        near = f"{parity.near:,} within the tolerance of it"
        flipped = f", {parity.flipped:,} with another label" if parity.near else ""
        lines.append(f"decisions: equal for all images further than the tolerance from the threshold; {near}{flipped}")
    return lines
