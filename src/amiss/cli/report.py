"""Pages of other verbs: whether one can be written, asked before any work is done."""

from __future__ import annotations

from pathlib import Path

from amiss.cli.outputs import require_writable
from amiss.contracts import InputError
from amiss.report.render import require_jinja

SUFFIXES = (".html", ".htm")


def require_page(path: Path | None, *, overwrite: bool) -> None:
    """Raise InputError unless a page can be written at `path`, or none is asked for."""
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot write a report to {path}: its name must end in {' or '.join(SUFFIXES)}")
    require_jinja()
    require_writable(path, overwrite=overwrite)
