"""What verbs say: results on standard output, everything else on standard error."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from amiss.data.images import Layout, Skipped
from amiss.engine.progress import Reporter
from amiss.plain import InputError

_DEPTHS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}


def result(*lines: str) -> None:
    """Write lines of the result to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def note(*lines: str) -> None:
    """Write lines that are no result to standard error."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()


@contextmanager
def reporting(*, quiet: bool = False, verbose: bool = False) -> Iterator[Reporter]:
    """Report progress on standard error, and end the line of its bar when the work ends in whatever way."""
    reporter = Reporter(io.StringIO() if quiet else None, verbose=verbose)
    try:
        yield reporter
    finally:
        reporter.close()


def require_one(*, quiet: bool, verbose: bool) -> None:
    """Raise InputError where both more and less is asked for."""
    if quiet and verbose:
        raise InputError("--quiet and --verbose were both given: the one says less, the other more")


def counted(n: int, noun: str) -> str:
    """Say how many: 1 image, 2,000 images."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def percent(share: float) -> str:
    """Say a share as a percentage in three digits: 5 %, 4.76 %."""
    return f"{float(f'{100 * share:.3g}'):g} %"


def share(part: int, whole: int, what: str) -> str:
    """Say a part of a whole: 24 of 500 normal images (4.8 %)."""
    return f"{part:,} of {counted(whole, what)}" + (f" ({percent(part / whole)})" if whole else "")


def described(layout: Layout) -> str:
    """Say what a model's images are: 28 x 28 pixels, grey, 8-bit."""
    spec = layout.spec
    return f"{spec.height} x {spec.width} pixels, {'grey' if spec.channels == 1 else 'colour'}, {_DEPTHS[layout.depth]}"


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """Name every image that was left out, and why; the reason names the file."""
    if not skipped:
        return []
    return [f"skipped {counted(len(skipped), 'file')}:", *(f"  {bad.reason}" for bad in skipped)]


def listed(words: Sequence[str], conjunction: str) -> str:
    """Join words for a sentence: list, get or check."""
    return f" {conjunction} ".join([part for part in (", ".join(words[:-1]), words[-1]) if part])
