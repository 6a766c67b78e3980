"""Whether an output can be written, asked before any work is done."""

from __future__ import annotations

import glob
import tempfile
from pathlib import Path

from amiss.plain import InputError


def require_writable(path: Path, *, overwrite: bool, otherwise: str = "") -> None:
    """Raise InputError, by name, unless a file can be made at `path`; an existing one needs `overwrite`.

    otherwise: what the verb offers besides, at the end of the message.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file to write")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is a device or a pipe: name a file to write")
    if not overwrite and (path.exists() or path.is_symlink()):
        raise InputError(f"{path} exists: give --overwrite to replace it, {otherwise}or choose another output")
    require_folder(path)


def require_folder(path: Path) -> None:
    """Raise InputError unless a file can be made in the folder of `path`."""
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {folder}; make it, or choose another output")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass  # only whether it can be made
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another output") from error


def discard_parts(path: Path) -> None:
    """Remove what a killed process left of a file that it was writing at `path`."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)
