"""The parts that a method is made of, by name in a call: `--method.adversary l2`, `--method.members gradcon,knn`."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, get_args, get_type_hints

from amiss import catalog
from amiss.contracts import InputError, Method

T = TypeVar("T")
NONE = "none"


def choose(method: Method, arguments: Sequence[str]) -> tuple[Method, list[str]]:
    """Put the parts in that a call names, and return the method and the words that are left.

    A part that is named by what it is already keeps its settings. Raises InputError for a name that is unknown.
    """
    words = list(arguments)
    chosen = _filled(method, "--method.", lambda option: _take(words, option))
    return chosen, words


def offers(method: Method) -> list[str]:
    """A line for each part that may be another: the option, and the names that it takes."""
    lines: list[str] = []
    _filled(method, "--method.", lambda option: None, lines.append)
    return lines


def _take(words: list[str], option: str) -> str | None:
    """Remove an option from a call; return its last value."""
    found = None
    for i in reversed(range(len(words))):
        if words[i].startswith(f"{option}="):
            value = words.pop(i).partition("=")[2]
        elif words[i] == option and i + 1 < len(words) and not words[i + 1].startswith("-"):
            value = words.pop(i + 1)
            words.pop(i)
        else:
            continue
        found = found if found is not None else value
    return found


def _filled(part: T, prefix: str, named: Callable[[str], str | None], say: Callable[[str], None] | None = None) -> T:
    """The dataclass with the parts that `named` gives by option, and these filled likewise."""
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, object] = {}
    for field, value, choices in _fields(part):
        option = f"{prefix}{field.replace('_', '-')}"
        if isinstance(value, tuple) and any(map(dataclasses.is_dataclass, value)):
            chosen = _several(value, option, named, say)
            changes[field] = tuple(_filled(v, f"{option}.{i}.", named, say) for i, v in enumerate(chosen))
            continue
        if isinstance(value, Method) or choices:
            value = _one(value, option, choices, named, say)
        changes[field] = _filled(value, f"{option}.", named, say)
    changed = {name: value for name, value in changes.items() if value is not getattr(part, name)}
    return dataclasses.replace(part, **changed) if changed else part


def _several(
    value: tuple[object, ...], option: str, named: Callable[[str], str | None], say: Callable[[str], None] | None
) -> tuple[object, ...]:
    """A tuple of methods, all of them named at once, with commas, or none; other tuples stay as they are."""
    if not all(isinstance(v, Method) for v in value):
        return value
    if say:
        say(f"{option} NAME,NAME,...: methods, as `amiss methods` lists them")
    names = named(option)
    return value if names is None else tuple(catalog.load(name) for name in names.split(","))


def _one(
    value: object,
    option: str,
    choices: dict[str, type | None],
    named: Callable[[str], str | None],
    say: Callable[[str], None] | None,
) -> object:
    """A method or one of several parts, if it is named."""
    if say:
        say(f"{option} {'|'.join(choices) if choices else 'NAME: a method, as `amiss methods` lists them'}")
    name = named(option)
    if name is None:
        return value
    if not choices:
        return catalog.load(name)
    if name not in choices:
        close = difflib.get_close_matches(name, choices, n=1) or list(choices)
        raise InputError(f"{option} {name!r} is unknown: give {' or '.join(close)}")
    kind = choices[name]
    return value if kind is type(value) else None if kind is None else kind()


def _fields(part: object) -> Iterator[tuple[str, object, dict[str, type | None]]]:
    """Name and value of each field, and the parts that it may hold by name, if there are several dataclasses."""
    if not dataclasses.is_dataclass(part):
        return
    hints = get_type_hints(type(part))
    for field in dataclasses.fields(part):
        kinds = get_args(hints[field.name])
        parts = {_name(k): k for k in kinds if dataclasses.is_dataclass(k) and isinstance(k, type)}
        choices: dict[str, type | None] = {**parts, **({NONE: None} if type(None) in kinds else {})}
        yield field.name, getattr(part, field.name), choices if parts and len(choices) > 1 else {}


def _name(kind: type) -> str:
    """A class's name in words of a call: LatentShift becomes latent-shift."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()
