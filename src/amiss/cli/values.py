"""How the words of a call become numbers and choices, with messages of our own for words that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args, get_origin

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from amiss.cli.console import listed
from amiss.contracts import InputError


class Given(float):
    """A number for an option that does nothing where it is left out, so that `none` is no word for it."""


class BadValueError(InputError):
    """A word that is not what its option takes; whoever knows the option's name puts it in front."""

    def __init__(self, value: str, accepted: str) -> None:
        super().__init__(f"{value!r} is not accepted: give {accepted}")
        self.value = value


def attack_radii(given: str | None) -> tuple[float, ...]:
    """Radii of an attack from the words of --attack; raises InputError for what is no list of numbers."""
    try:
        return () if given is None else tuple(float(word) for word in given.split(","))
    except ValueError as error:
        raise InputError(
            f"--attack {given!r} is not accepted: give numbers from 0 to 1 with commas, such as 0.05,0.1"
        ) from error


def registry() -> ConstructorRegistry:
    """Rules for whole and real numbers, either of which may be `none` where a field allows it, and for choices."""
    rules = ConstructorRegistry()

    @rules.primitive_rule
    def rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[object] | None:
        for kind, word in ((int, "a whole number"), (float, "a number")):
            if info.type is kind:
                return _number(kind, word, optional=False)
            if info.type == kind | None:
                return _number(kind, word, optional=True)
        if info.type == Given | None:
            return _number(Given, "a number", optional=False)
        if get_origin(info.type) is Literal:
            return _choice([str(choice) for choice in get_args(info.type)])
        return None

    return rules


def _number(kind: Callable[[str], float], word: str, *, optional: bool) -> PrimitiveConstructorSpec[object]:
    def read(words: Sequence[str]) -> float | None:
        if optional and words[0].lower() == "none":
            return None
        try:
            return kind(words[0])
        except ValueError as error:
            raise BadValueError(words[0], f"{word} or none" if optional else word) from error

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{word.split()[-1].upper()}{'|none' if optional else ''}",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | float) or ((optional or kind is Given) and value is None),
        str_from_instance=lambda value: ["none" if value is None else f"{value}"],
    )


def _choice(choices: Sequence[str]) -> PrimitiveConstructorSpec[object]:
    def read(words: Sequence[str]) -> str:
        if words[0] not in choices:
            raise BadValueError(words[0], listed(choices, "or"))
        return words[0]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="|".join(choices),
        instance_from_str=read,
        is_instance=lambda value: value in choices,
        str_from_instance=lambda value: [str(value)],
    )
