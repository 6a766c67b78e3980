"""From the words of a call to a verb's options, a dataclass; a call that is wrong becomes one sentence."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, TypeVar, get_args, get_type_hints

import tyro
from tyro.conf import AvoidSubcommands, FlagCreatePairsOff, Positional, arg

from amiss import catalog
from amiss.cli.parts import choose, offers
from amiss.cli.values import BadValueError, registry
from amiss.contracts import InputError, Method

T = TypeVar("T")


def parse(options: type[T], arguments: Sequence[str], verb: str) -> T:
    """Read a verb's options; `--help` prints and exits, and anything wrong raises InputError."""
    return _parse(options, arguments, verb, [options])


def parse_with_method(options: type[T], arguments: Sequence[str], verb: str) -> tuple[T, Method]:
    """Read a verb's options, and the hyperparameters of the method that `--method` names, as `--method.NAME`.

    A knob that holds a method or one of several parts takes that one's name, and its settings `--method.NAME.SETTING`.
    `options` has a field `method` with a name as its default. Raises InputError for an unknown method, for anything
    wrong in the call, and for hyperparameters that the method refuses.
    """
    named = get_named(arguments, "--method")
    if named is None:
        named = next(str(f.default) for f in _fields(options) if f.name == "method")
    method, words = choose(catalog.load(named), arguments)
    kinds: list[tuple[str, object, object]] = [
        ("options", Annotated[options, arg(name="")], field()),
        ("knobs", Annotated[type(method), arg(name="method", help=catalog.summary(method))], field(default=method)),
    ]
    call = make_dataclass("Call", kinds, frozen=True)
    call.__doc__ = "\n".join([options.__doc__ or "", *offers(method)])
    parsed: object = _parse(call, words, verb, [options, method])
    chosen, knobs = vars(parsed)["options"], vars(parsed)["knobs"]
    if not isinstance(chosen, options) or not isinstance(knobs, Method):
        raise TypeError(f"{parsed!r} is not a call of {verb}")
    return chosen, knobs


def get_named(arguments: Sequence[str], option: str) -> str | None:
    """Return the last value that a call gives an option, before its other words are understood."""
    found = None
    for i, word in enumerate(arguments):
        if word == option and i + 1 < len(arguments):
            found = arguments[i + 1]
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


def _parse(call: type[T], arguments: Sequence[str], verb: str, parts: Sequence[type | Method]) -> T:
    ignored = io.StringIO()  # messages of tyro's own, several lines in a box each
    plain = io.StringIO() if os.environ.get("NO_COLOR") else sys.stdout  # tyro itself does not know NO_COLOR
    try:
        with contextlib.redirect_stderr(ignored), contextlib.redirect_stdout(plain):
            found: tuple[T, list[str]] = tyro.cli(
                call,
                prog=f"amiss {verb}",
                description=_wrapped(call.__doc__ or ""),
                args=arguments,
                return_unknown_args=True,
                config=(FlagCreatePairsOff, AvoidSubcommands),
                registry=registry(),
            )
    except SystemExit as stop:
        if not stop.code:
            sys.stdout.write(plain.getvalue() if isinstance(plain, io.StringIO) else "")
            raise
        raise _refusal(stop, arguments, verb, parts) from None
    parsed, rest = found
    if rest:
        raise InputError(_diagnose(arguments, parts) or f"{rest[0]!r} is one word too many; see amiss {verb} --help")
    return parsed


def _wrapped(text: str) -> str:
    """Each line of a text within the terminal's width."""
    return "\n".join(textwrap.fill(line, shutil.get_terminal_size().columns) for line in text.splitlines())


def _refusal(stop: SystemExit, arguments: Sequence[str], verb: str, parts: Sequence[type | Method]) -> InputError:
    """Find what our own code said was wrong, or else what is missing."""
    said = [error for error in _chain(stop) if isinstance(error, InputError)]
    wrong = _diagnose(arguments, parts)
    if wrong or not said:
        return InputError(wrong or f"the call is not understood; see amiss {verb} --help")
    bad = said[0]
    if isinstance(bad, BadValueError):
        option = next((name for name in _names(arguments) if get_named(arguments, name) == bad.value), "")
        return InputError(f"{option} {bad}".strip())
    return bad


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _names(arguments: Sequence[str]) -> list[str]:
    return [word.partition("=")[0] for word in arguments if word.startswith("-")]


@dataclass(frozen=True)
class _Option:
    name: str
    flag: bool = False
    positional: bool = False
    required: bool = False


def _diagnose(arguments: Sequence[str], parts: Sequence[type | Method]) -> str | None:
    """Say which word is unknown, which option lacks its value, or what is missing; None if nothing of these."""
    options = _options(parts)
    given: set[str] = set()
    loose: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        option = options.get(name.replace("_", "-") if name.startswith("--") else name) if word[:1] == "-" else None
        if option is None and re.match(r"--?[A-Za-z]", name):
            return _unknown(name, [key for key in options if key.startswith("--")])
        if option is None:
            loose.append(word)
            continue
        given.add(option.name)
        if option.flag and equals:
            return f"{name} takes no value"
        if not option.flag and not equals:
            value = next(words, None)
            if value is None:
                return f"{name} needs a value"
            if re.match(r"--?[A-Za-z]", value):
                return (
                    f"{name} needs a value, and {value} reads as an option; a file of that name is given as ./{value}"
                )
    wanted = [option for option in dict.fromkeys(options.values()) if option.required]
    places = [option.name for option in wanted if option.positional]
    missing = places[len(loose) :] + [o.name for o in wanted if not o.positional and o.name not in given]
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing" if missing else None


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(close)}?" if close else "see --help"
    if len(name) < 256 and Path(name).exists():
        meant = f"the file or folder of that name is given as ./{name}"
    return f"unknown option {name}: {meant}"


def _fields(kind: type) -> tuple[Field[object], ...]:
    return fields(kind) if is_dataclass(kind) else ()


def _members(value: object) -> list[tuple[str, Method]]:
    """The methods that a method is made of, by what follows the field's name in an option: nothing, or a number."""
    if isinstance(value, tuple):
        return [(f".{i}", member) for i, member in enumerate(value) if isinstance(member, Method)]
    return [("", value)] if isinstance(value, Method) else []


def _options(parts: Sequence[type | Method]) -> Mapping[str, _Option]:
    """Every option by each of its names; positional ones by what help calls them."""
    found = {"--help": _Option("--help", flag=True), "-h": _Option("--help", flag=True)}
    for part in parts:
        found |= _options_of(part, "") if isinstance(part, type) else _options_of(type(part), "method.", part)
    return found


def _options_of(part: type, prefix: str, value: object = None) -> dict[str, _Option]:
    hints = get_type_hints(part, include_extras=True)
    found: dict[str, _Option] = {}
    for f in _fields(part):
        kind, *marks = get_args(hints[f.name]) if hasattr(hints[f.name], "__metadata__") else [hints[f.name]]
        name = f"--{prefix}{f.name.replace('_', '-')}"
        members = _members(getattr(value, f.name, None))
        if members:
            found[name] = _Option(name)
            for suffix, member in members:
                found |= _options_of(type(member), f"{name[2:]}{suffix}.", member)
            continue
        nested = [inner for inner in (kind, *get_args(kind)) if is_dataclass(inner) and isinstance(inner, type)]
        for inner in nested:
            found |= _options_of(inner, f"{prefix}{f.name.replace('_', '-')}.")
        required = f.default is MISSING and f.default_factory is MISSING
        if Positional in marks:
            shown = next((mark.metavar for mark in marks if getattr(mark, "metavar", None)), f.name.upper())
            found[shown] = _Option(shown, positional=True, required=required)
            continue
        aliases = [alias for mark in marks for alias in getattr(mark, "aliases", None) or ()]
        option = _Option("/".join([*aliases, name]), flag=kind is bool, required=required)
        found |= dict.fromkeys([name, *aliases], option)
        if kind is bool:
            found[f"--{prefix}no-{f.name.replace('_', '-')}"] = option
    return found
