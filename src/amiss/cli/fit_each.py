"""`amiss fit-each`: one detector for every subfolder, here or on Ray, and a table of what came of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss.cli.console import note, percent, reporting, require_one, result
from amiss.cli.learning import LearningOptions
from amiss.cli.options import parse_with_method
from amiss.cli.values import Given
from amiss.contracts import InputError, Method
from amiss.data.reading import Reading
from amiss.engine.runtime import Runtime
from amiss.scale.each import Asked, Row
from amiss.scale.fit_each import TABLE, FitEach, Fitter, here
from amiss.scale.fitters import FitOnRay, InProcesses
from amiss.transforms.tiles import Tiling


@dataclass(frozen=True, kw_only=True)
class FitEachOptions(LearningOptions):
    """Fit a model for every subfolder of a folder; `--method NAME --help` shows that method's own knobs."""

    root: Annotated[Path, Positional, arg(metavar="ROOT")]
    """Folder whose subfolders hold normal images, each as amiss fit takes one."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="MODELS")]
    """Folder to write models to, NAME.safetensors for the subfolder NAME, and the table fits.csv."""
    group_by: Annotated[str | None, arg(metavar="WHAT", help_behavior_hint="")] = None
    """What keeps images together that must not be separated: a pattern found in each path."""
    jobs: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Fits at a time, each in a process of its own on this machine; 1 if not given."""
    on: Annotated[str | None, arg(metavar="ray[://HOST:PORT]", help_behavior_hint="")] = None
    """Fit on Ray: here, or on that cluster, one fit for each of its processors."""
    gpus: Annotated[Given | None, arg(metavar="SHARE", help_behavior_hint="")] = None
    """Share of a GPU for each fit on Ray, such as 0.25; without it they work on one processor each."""
    overwrite: bool = False
    """Fit anew where images or settings have changed since a model was made; the others are kept all the same."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress; the table is shown all the same."""
    verbose: Annotated[bool, arg(aliases=["-v"])] = False
    """Tell each step in a line of its own."""


def main(arguments: Sequence[str]) -> int:
    """Fit a model for every subfolder; 1 if any could not be made."""
    options, method = parse_with_method(FitEachOptions, arguments, "fit-each")
    require_one(quiet=options.quiet, verbose=options.verbose)
    fitter, device = _fitter(options)
    each = FitEach(options.root, options.out, _asked(options, method), device, options.overwrite)
    with reporting(quiet=options.quiet, verbose=options.verbose) as reporter:
        rows = each.run(fitter, reporter)
    result(*table_lines(rows))
    failed = [row for row in rows if row.status == "failed"]
    note(*(f"{row.name}: {row.error}" for row in failed))
    counts = {status: sum(row.status == status for row in rows) for status in ("fitted", "kept", "failed")}
    note(f"{', '.join(f'{n:,} {status}' for status, n in counts.items() if n)}; table: {options.out / TABLE}")
    if not failed:
        note(f"score with: amiss score {options.out} IMAGES --route-by folder -o scores.csv")
    return 1 if failed else 0


def _asked(options: FitEachOptions, method: Method) -> Asked:
    tiling = Tiling.of(options.tile, options.tile_overlap, options.tile_pool, options.size)
    reading = Reading(options.recursive, options.group_by, options.on_bad)
    kept = not options.no_thumbnails
    return Asked(method, options.fpr, options.random_state, options.size, tiling, options.precision, kept, reading)


def _fitter(options: FitEachOptions) -> tuple[Fitter, str]:
    """Where fits are made, and on which device there; raises InputError for options that contradict each other."""
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs {options.jobs} is out of range: it must be 1 or more")
    if options.gpus is not None and options.gpus <= 0:
        raise InputError(f"--gpus {options.gpus:g} is out of range: it must be above 0")
    if options.on is None:
        if options.gpus is not None:
            raise InputError("--gpus is for --on ray; here, --device names the device")
        Runtime(options.device).resolve()  # names a device that is not there before any image is read
        return (here if options.jobs in (None, 1) else InProcesses(options.jobs or 1)), options.device
    if not re.fullmatch(r"ray(://.+)?", options.on):
        raise InputError(f"--on {options.on!r} is not accepted: give ray, or ray://HOST:PORT")
    if options.jobs is not None:
        raise InputError("--jobs is for this machine's processes; on Ray, every processor of the cluster has a fit")
    if options.device not in ("auto", "cpu"):
        raise InputError(f"--device {options.device} is not for --on ray: --gpus gives each fit a share of a GPU")
    address = None if options.on == "ray" else options.on
    return FitOnRay(address, options.gpus or 0.0), "cuda" if options.gpus else "cpu"


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The table for a terminal, its columns aligned."""
    head = ("name", "images", "seconds", "threshold", "false alarms", "status")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i in (0, len(head) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        "" if row.images is None else f"{row.images:,}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
        "" if row.threshold is None else f"{row.threshold:.6g}",
        "" if row.fpr is None else f"at most {percent(row.fpr)}",
        row.status,
    )
