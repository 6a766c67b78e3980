"""`amiss score --on`: any number of images, shard by shard, here or on Ray, into a folder of Parquet files."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from amiss.calibration.table import SUFFIXES
from amiss.cli.console import counted, note, reporting, result, share, skipped_lines
from amiss.cli.deciding import decision_lines, load_deciding, settings_lines
from amiss.cli.score_options import ScoreOptions
from amiss.contracts import InputError
from amiss.data.decode import conversion_lines
from amiss.scale.on_ray import OnRay
from amiss.scale.output import SKIPPED
from amiss.scale.scoring import SHARD, Engine, Outcome, in_process, score_sharded
from amiss.scale.shards import How

SHOWN = 20
"""Most skipped files that are named on the terminal; a file in the folder names them all."""


def refuse_without_on(options: ScoreOptions) -> None:
    """Raise InputError for an option that does nothing without --on."""
    given = {
        "--workers": options.workers,
        "--gpus": options.gpus,
        "--shard-images": options.shard_images,
        "--resume": options.resume or None,
    }
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name} is for --on local or --on ray, which score shard by shard into a folder")


def score_on(options: ScoreOptions) -> int:
    """Score images into a folder of Parquet files."""
    started = time.perf_counter()
    out, engine = require_folder_of_parts(options), engine_for(options)
    device = options.device if options.on == LOCAL else "cpu"
    detector = load_deciding(options.model, fpr=options.fpr, threshold=options.threshold, device=device)
    if options.verbose:
        note(*settings_lines(detector))
    with reporting(quiet=options.quiet, verbose=options.verbose) as reporter:
        outcome = score_sharded(
            detector,
            options.images,
            out,
            engine=engine,
            shard_images=options.shard_images or SHARD,
            how=How(options.terms, options.on_bad),
            resume=options.resume,
            overwrite=options.overwrite,
            progress=reporter,
        )
    if tell_finished(outcome, out) and not options.quiet:
        decided = detector.threshold_ is not None
        note(*outcome.lines, *conversion_lines(outcome.kinds, detector.layout))
        note(*summary(outcome, out, time.perf_counter() - started, decided, decision_lines(detector.calibration)))
    return 0


def tell_finished(outcome: Outcome, out: Path) -> bool:
    """Say so where there was nothing to do; True where there was."""
    if outcome.kept == outcome.shards:
        result(f"{out} is finished already: there is nothing to resume (--overwrite scores anew)")
    return outcome.kept < outcome.shards


LOCAL = "local"


def engine_for(options: ScoreOptions) -> Engine:
    """The engine that --on names; raises InputError for another word, or for what that engine does not take."""
    on, workers, gpus, device = options.on or "", options.workers, options.gpus, options.device
    if not re.fullmatch(r"local|ray(://.+)?", on):
        raise InputError(f"--on {on!r} is not accepted: give local, ray, or ray://HOST:PORT")
    for name, value in (("--workers", workers), ("--gpus", gpus)):
        if value is not None and on == LOCAL:
            raise InputError(f"{name} is for --on ray; --on local works in this process")
        if value is not None and value <= 0:
            raise InputError(f"{name} {value:g} is out of range: it must be above 0")
    if on == LOCAL:
        return partial(in_process, device=device)
    if device not in ("auto", "cpu"):
        raise InputError(f"--device {device} is not for --on ray: --gpus gives each worker a share of a GPU")
    return OnRay(None if on == "ray" else on, workers, gpus or 0.0)


def require_folder_of_parts(options: ScoreOptions) -> Path:
    """The output's folder; raises InputError for a call that cannot be done shard by shard."""
    if options.report is not None:
        raise InputError("--report is not for --on: a page holds copies of the images, which are not gathered here")
    if options.out is None:
        raise InputError("--on needs -o SCORES, a folder for Parquet files")
    if options.out.suffix.lower() in SUFFIXES and not options.out.is_dir():
        raise InputError(f"with --on, scores are a folder of Parquet files: give -o {options.out.with_suffix('')}")
    if options.resume and options.overwrite:
        raise InputError("--resume and --overwrite were both given: the one goes on, the other starts anew")
    if options.shard_images is not None and options.shard_images < 1:
        raise InputError(f"--shard-images {options.shard_images} is out of range: it must be 1 or more")
    return options.out


def summary(outcome: Outcome, out: Path, seconds: float, decided: bool, decision: Sequence[str]) -> list[str]:
    """What a run has done, in lines; decided: whether rows have labels."""
    scored = share(outcome.anomalous, outcome.images, "image") + " above the threshold"
    kept = f", {outcome.kept:,} of them from before" if outcome.kept else ""
    hidden = len(outcome.skipped) - SHOWN
    return [
        *skipped_lines(outcome.skipped)[: SHOWN + 1],
        *([f"  and {hidden:,} more, all in {out / SKIPPED}"] if hidden > 0 else []),
        f"scored in {seconds:.1f} s: {scored if decided else counted(outcome.images, 'image')}",
        *decision,
        f"scores: {out} ({counted(outcome.shards, 'Parquet file')}{kept})",
    ]
