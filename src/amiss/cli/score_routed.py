"""`amiss score --route-by folder`: each image with the model that has the name of its folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from amiss.calibration.table import SUFFIXES, ScoreTable
from amiss.cli.console import note, reporting, share, skipped_lines
from amiss.cli.outputs import require_writable
from amiss.cli.score_on import engine_for, refuse_without_on, require_folder_of_parts, summary, tell_finished
from amiss.cli.score_options import ScoreOptions
from amiss.cli.score_rows import Seen, row_writer
from amiss.contracts import InputError
from amiss.data.stream import Chunk
from amiss.detector import Detector
from amiss.engine.progress import Reporter, renamed
from amiss.scale.routing import Route, find_routes, load_routes, route_work
from amiss.scale.scoring import SHARD, score_work
from amiss.scale.shards import How

SHOWN = 20
"""Most folders that are told one by one, those with most alarms first."""


def score_routed(options: ScoreOptions) -> int:
    """Score every folder with its own model, into one table or into a folder of Parquet files."""
    _refuse(options)
    out = None if options.on is None else require_folder_of_parts(options)
    routes, unknown = find_routes(options.model, options.images, skip_unknown=options.skip_unknown)
    here = options.on in (None, "local")
    detectors = load_routes(routes, fpr=options.fpr, device=options.device if here else "cpu")
    if unknown and not options.quiet:
        note(f"left out, for want of a model: {', '.join(unknown)}")
    if out is None:
        return _score_here(options, routes, detectors)
    started, engine = time.perf_counter(), engine_for(options)
    work = route_work(routes, detectors, options.shard_images or SHARD)
    how = How(on_bad=options.on_bad)
    with reporting(quiet=options.quiet, verbose=options.verbose) as reporter:
        outcome = score_work(work, out, engine, how, options.resume, options.overwrite, reporter)
    if tell_finished(outcome, out) and not options.quiet:
        decided = _decided(detectors)
        note(*(folder_lines(outcome.by_model) if decided else []))
        note(*summary(outcome, out, time.perf_counter() - started, decided, []))
    return 0


def _refuse(options: ScoreOptions) -> None:
    """Raise InputError for options that are those of one model."""
    given = {"--threshold": options.threshold, "--report": options.report, "--terms": options.terms or None}
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name} is for one model; with --route-by folder there are several")
    if options.on is None:
        refuse_without_on(options)
        if options.out is not None:
            if options.out.suffix.lower() not in SUFFIXES:
                raise InputError(f"cannot write scores to {options.out}: its name must end in {' or '.join(SUFFIXES)}")
            require_writable(options.out, overwrite=options.overwrite)


def _score_here(options: ScoreOptions, routes: Sequence[Route], detectors: Mapping[str, Detector]) -> int:
    started = time.perf_counter()
    every: dict[str, Seen] = {}
    crowded = options.out is None and sys.stdout.isatty()  # rows and a bar on one screen
    with (
        reporting(quiet=options.quiet or crowded, verbose=options.verbose) as reporter,
        row_writer(options.out) as writer,
    ):
        for route in routes:
            seen = every[route.name] = Seen()
            for table, chunk in _scored(detectors[route.name], route, options, reporter):
                seen.add(table, chunk)
                if len(table):
                    writer.write(replace(table, model=[route.name] * len(table)))
        skipped = [bad for seen in every.values() for bad in seen.skipped]
        if not any(seen.scored for seen in every.values()):
            raise InputError(f"none of {len(skipped):,} images could be read: {skipped[0].reason}")
    if not options.quiet:
        counts = {name: (seen.anomalous, seen.scored) for name, seen in every.items()}
        anomalous, images = (sum(column) for column in zip(*counts.values(), strict=True))
        told = (
            share(anomalous, images, "image") + " above the threshold" if _decided(detectors) else f"{images:,} images"
        )
        note(*skipped_lines(skipped), *(folder_lines(counts) if _decided(detectors) else []))
        note(f"scored in {time.perf_counter() - started:.1f} s: {told}")
        note(*([] if options.out is None else [f"scores: {options.out}"]))
    return 0


def _scored(
    detector: Detector, route: Route, options: ScoreOptions, reporter: Reporter
) -> Iterator[tuple[ScoreTable, Chunk]]:
    source = detector.stream(route.images, on_bad=options.on_bad)
    return detector.score_stream(source, progress=renamed(reporter, f"scoring {route.name}"))


def _decided(detectors: Mapping[str, Detector]) -> bool:
    """Whether rows have labels; all models agree on that."""
    return next(iter(detectors.values())).threshold_ is not None


def folder_lines(counts: Mapping[str, tuple[int, int]]) -> list[str]:
    """Say of each folder how many of its images are above the threshold, the largest share first."""
    order = sorted(counts, key=lambda name: (-counts[name][0] / max(1, counts[name][1]), name))
    lines = [f"{name}: {share(*counts[name], 'image')} above its threshold" for name in order[:SHOWN]]
    return [*lines, *([f"and {len(order) - SHOWN:,} more folders"] if len(order) > SHOWN else [])]
