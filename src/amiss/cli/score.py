"""`amiss score`: a table that says of each image how anomalous it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from amiss.calibration.table import SUFFIXES
from amiss.cli.console import counted, note, reporting, require_one, share, skipped_lines
from amiss.cli.deciding import decision_lines, load_deciding, settings_lines
from amiss.cli.options import parse
from amiss.cli.outputs import require_writable
from amiss.cli.report import require_page
from amiss.cli.score_on import refuse_without_on, score_on
from amiss.cli.score_options import ScoreOptions
from amiss.cli.score_routed import score_routed
from amiss.cli.score_rows import Seen, row_writer
from amiss.contracts import InputError
from amiss.data.decode import conversion_lines
from amiss.detector import Detector
from amiss.report.assemble import Builder
from amiss.report.render import write_page


def main(arguments: Sequence[str]) -> int:
    """Score images into a table."""
    options = parse(ScoreOptions, arguments, "score")
    require_one(quiet=options.quiet, verbose=options.verbose)
    started = time.perf_counter()
    if options.route_by is not None:
        return score_routed(options)
    if options.skip_unknown:
        raise InputError("--skip-unknown is for --route-by folder, which looks for a model for each folder")
    if options.on is not None:
        return score_on(options)
    refuse_without_on(options)
    if options.out is not None:
        if options.out.suffix.lower() not in SUFFIXES:
            raise InputError(f"cannot write scores to {options.out}: its name must end in {' or '.join(SUFFIXES)}")
        require_writable(options.out, overwrite=options.overwrite)
    require_page(options.report, overwrite=options.overwrite)
    detector = load_deciding(options.model, fpr=options.fpr, threshold=options.threshold, device=options.device)
    if options.verbose:
        note(*settings_lines(detector))
    seen = _score(detector, options)
    if not options.quiet:
        note(*_summary(seen, detector, options, time.perf_counter() - started))
    return 0


def _score(detector: Detector, options: ScoreOptions) -> Seen:
    source = detector.stream(options.images, on_bad=options.on_bad)
    seen = Seen()
    page = None if options.report is None else Builder(detector)
    crowded = options.out is None and sys.stdout.isatty()  # rows and a bar on one screen
    with reporting(quiet=options.quiet or crowded, verbose=options.verbose) as reporter:
        with row_writer(options.out) as writer:
            for table, chunk in detector.score_stream(source, terms=options.terms, progress=reporter):
                seen.add(table, chunk)
                if len(table):
                    writer.write(table)
                    if page is not None:
                        page.add(table.image_path, table.pred_score, chunk.pixels.numpy())
            if not seen.scored:
                raise InputError(f"none of {counted(source.total, 'image')} could be read: {seen.skipped[0].reason}")
        if page is not None and options.report is not None:
            notes = [bad.reason for bad in seen.skipped]
            made = page.review(str(options.images), model=str(options.model), notes=notes, progress=reporter)
            write_page(made, options.report)
    return seen


def _summary(seen: Seen, detector: Detector, options: ScoreOptions, seconds: float) -> list[str]:
    scored = counted(seen.scored, "image")
    if detector.threshold_ is not None:
        scored = f"{share(seen.anomalous, seen.scored, 'image')} above the threshold"
    return [
        *conversion_lines(seen.kinds, detector.layout),
        *skipped_lines(seen.skipped),
        f"scored in {seconds:.1f} s: {scored}",
        *decision_lines(detector.calibration),
        *([] if options.out is None else [f"scores: {options.out}"]),
        *([] if options.report is None else [f"report: {options.report}"]),
    ]
