"""`amiss score`: a table that says of each image how anomalous it is."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from amiss.calibration.table import SUFFIXES, ScoreTable, table_writer
from amiss.cli.console import counted, note, reporting, require_one, share, skipped_lines
from amiss.cli.deciding import decision_lines, load_deciding, settings_lines
from amiss.cli.options import parse
from amiss.cli.outputs import require_writable
from amiss.cli.report import require_page
from amiss.cli.score_on import refuse_without_on, score_on
from amiss.cli.score_options import ScoreOptions
from amiss.contracts import InputError
from amiss.data.decode import conversion_lines
from amiss.data.images import Kind, Skipped
from amiss.data.stream import Chunk
from amiss.detector import Detector
from amiss.report.assemble import Builder
from amiss.report.render import write_page


class _Writer(Protocol):
    def write(self, table: ScoreTable) -> None: ...


class _Printed:
    """Writes rows as CSV to standard output, as they come."""

    def __init__(self) -> None:
        self.rows = csv.writer(sys.stdout, lineterminator="\n")
        self.started = False

    def write(self, table: ScoreTable) -> None:
        columns = table.columns()
        if not self.started:
            self.rows.writerow(columns)
            self.started = True
        self.rows.writerows(zip(*(list(column) for column in columns.values()), strict=True))


@dataclass
class _Seen:
    """What the summary tells of the images that have passed."""

    scored: int = 0
    anomalous: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, table: ScoreTable, chunk: Chunk) -> None:
        self.scored += len(table)
        self.anomalous += 0 if table.pred_label is None else int(table.pred_label.sum())
        self.kinds.update(chunk.kinds)
        self.skipped += chunk.skipped


def main(arguments: Sequence[str]) -> int:
    """Score images into a table."""
    options = parse(ScoreOptions, arguments, "score")
    require_one(quiet=options.quiet, verbose=options.verbose)
    started = time.perf_counter()
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


def _score(detector: Detector, options: ScoreOptions) -> _Seen:
    source = detector.stream(options.images, on_bad=options.on_bad)
    seen = _Seen()
    page = None if options.report is None else Builder(detector)
    crowded = options.out is None and sys.stdout.isatty()  # rows and a bar on one screen
    with reporting(quiet=options.quiet or crowded, verbose=options.verbose) as reporter:
        with _writer(options.out) as writer:
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


@contextmanager
def _writer(out: Path | None) -> Iterator[_Writer]:
    if out is None:
        yield _Printed()
        return
    with table_writer(out) as writer:
        yield writer


def _summary(seen: _Seen, detector: Detector, options: ScoreOptions, seconds: float) -> list[str]:
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
