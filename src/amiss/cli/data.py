"""`amiss data`: the official data sets, and which of their files are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from amiss.cli.console import counted, note, reporting, result
from amiss.cli.options import parse
from amiss.contracts import InputError
from amiss.data import sets


@dataclass(frozen=True)
class DataOptions:
    """List the official data sets, get their files, or check the files against their checksums."""

    action: Annotated[Literal["list", "get", "check"], Positional, arg(metavar="list|get|check")]
    """List what there is; get what is missing, or be told how; check files by their checksums, folders by counting."""
    names: Annotated[tuple[str, ...], Positional, arg(metavar="[NAME ...]", help_behavior_hint="")] = ()
    """Names of sets; check takes all that are there, if none is named."""
    home: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Data folder; by default the one that AMISS_DATA names, else amiss in the user's cache folder."""


def main(arguments: Sequence[str]) -> int:
    """List, get or check data sets."""
    options = parse(DataOptions, arguments, "data")
    for name in options.names:
        sets.find(name)
    if options.action == "list":
        return _list(options)
    return _get(options) if options.action == "get" else _check(options)


def _list(options: DataOptions) -> int:
    note(f"data folder: {sets.data_home(options.home)}")
    for row in sets.describe(options.home, options.names):
        result(f"{row.name}: {row.state}", f"  {row.title}, {row.images}", f"  licence: {row.licence}")
    return 0


def _get(options: DataOptions) -> int:
    if not options.names:
        raise InputError(f"amiss data get needs names: choose from {', '.join(sets.names())}")
    for name in options.names:
        with reporting() as reporter:
            new = sets.get(name, options.home, reporter)
        result(*(f"{name}: {path}" for path in new), *([] if new else [f"{name}: complete, nothing to get"]))
    return 0


def _check(options: DataOptions) -> int:
    """Read every file; what is missing is a failure where its set was named."""
    names = options.names or tuple(row.name for row in sets.describe(options.home) if row.state != "absent")
    if not names:
        raise InputError(f"{sets.data_home(options.home)} holds no data set; amiss data get NAME downloads one")
    failed = []
    for name in names:
        for file in sets.check(name, options.home):
            result(f"{name} ({file.split}): {file.path}: {file.state}")
            if file.found and file.found != file.expected:
                result(f"  expected {file.expected}", f"  found    {file.found}")
            if file.state == "wrong checksum" or (file.state != "present" and options.names):
                failed.append(name)
    if failed:
        again = " ".join(dict.fromkeys(failed))
        note(
            f"{counted(len(failed), 'file')} missing or wrong: amiss data get {again} downloads what is needed, "
            "or says where to get it"
        )
    return 1 if failed else 0
