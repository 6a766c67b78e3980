"""`amiss methods`: the catalogue, and all about one method."""

from __future__ import annotations

import inspect
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields, is_dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from amiss import catalog
from amiss.catalog import field_docs
from amiss.cli.console import result
from amiss.cli.options import parse
from amiss.contracts import Method


@dataclass(frozen=True)
class MethodsOptions:
    """List the methods, or tell what one is, where it was published and what can be set."""

    name: Annotated[str | None, Positional, arg(metavar="[NAME]", help_behavior_hint="")] = None
    """Method to tell all about."""


def main(arguments: Sequence[str]) -> int:
    """List methods, or describe one."""
    options = parse(MethodsOptions, arguments, "methods")
    result(*(_list() if options.name is None else _describe(options.name)))
    return 0


def _list() -> list[str]:
    names = catalog.names()
    width = max(map(len, names))
    return [
        *(_wrapped(f"{name:{width}}  {_line(name)}", " " * (width + 2)) for name in names),
        "amiss methods NAME tells what can be set; amiss fit --method NAME uses it.",
    ]


def _line(name: str) -> str:
    method = catalog.load(name)
    return f"{catalog.family(method)} with {_changed(method)}" if _changed(method) else catalog.summary(method)


def _changed(method: Method) -> str:
    """What a preset sets otherwise than its family."""
    plain = catalog.load(catalog.family(method))
    return ", ".join(
        f"{f.name}={getattr(method, f.name)}"
        for f in _fields(method)
        if getattr(method, f.name) != getattr(plain, f.name)
    )


def _describe(name: str) -> list[str]:
    method = catalog.load(name)
    told = inspect.getdoc(sys.modules[type(method).__module__]) or ""
    docs = field_docs(type(method))
    presets = [other for other in catalog.names() if other != name and type(catalog.load(other)) is type(method)]
    lines = [line for part in told.split("\n\n") for line in (_wrapped(" ".join(part.split()), ""), "")]
    lines += [_wrapped(f"{name} is {_line(name)}.", ""), ""] if _changed(method) else []
    for f in _fields(method):
        lines.append(f"--method.{f.name.replace('_', '-')} {getattr(method, f.name)}")
        lines.append(_wrapped(f"    {docs.get(f.name, '')}", "    "))
    lines += ["", _wrapped(f"See also: {', '.join(presets)}", "    ")] if presets else []
    return lines


def _fields(method: Method) -> tuple[Field[object], ...]:
    return fields(method) if is_dataclass(method) else ()


def _wrapped(line: str, indent: str) -> str:
    width = max(30, shutil.get_terminal_size().columns - 1)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
