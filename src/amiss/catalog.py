"""Every method by name: the file name is the registry, presets are methods too, plug-ins come through entry points.

A method's settings are also turned into JSON and back here, since only the catalogue knows which class a name means.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from types import ModuleType, UnionType
from typing import Union, get_args, get_origin

import cattrs
from cattrs.strategies import configure_union_passthrough

from amiss import methods
from amiss.contracts import InputError, Method

GROUP = "amiss.methods"
"""Entry-point group: a plug-in names a module that defines one Method and perhaps PRESETS."""

Settings = dict[str, object]

_METHOD: type = Method


@cache
def _modules() -> dict[str, str]:
    """Module path by method name."""
    own = {info.name: f"{methods.__name__}.{info.name}" for info in pkgutil.iter_modules(methods.__path__)}
    return {**{point.name: point.value for point in entry_points(group=GROUP)}, **own}


def _class(module: ModuleType) -> type[Method]:
    """The one Method that a module defines."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise InputError(f"{module.__name__} defines {len(found)} methods: a method module defines exactly one")
    return found[0]


@cache
def _all() -> dict[str, Method]:
    """Default and preset instances by name."""
    found: dict[str, Method] = {}
    for name, path in sorted(_modules().items()):
        module = importlib.import_module(path)
        found[name] = _class(module)()
        found |= getattr(module, "PRESETS", {})
    return found


def names() -> tuple[str, ...]:
    """Names of all methods and presets, sorted."""
    return tuple(sorted(_all()))


def load(name: str) -> Method:
    """Return the method of that name with its own settings; raises InputError, with the nearest names, for others."""
    if name not in _all():
        raise InputError(f"unknown method {name!r}: {_nearest(name)}")
    return _all()[name]


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"choose from {', '.join(sorted(_modules()))}, or a variant that `amiss methods` lists"


def family(method: Method) -> str:
    """Name of the module that defines a method: `gradcon` for GradCon and all its presets."""
    for name, path in _modules().items():
        if type(method).__module__ == path:
            return name
    raise InputError(
        f"{type(method).__name__} is not in the catalogue: register its module under the entry point {GROUP}"
    )


def name_of(method: Method) -> str:
    """The method's name, or that of the preset that it equals; its family with other settings."""
    exact = [name for name in names() if load(name) == method and type(load(name)) is type(method)]
    return min(exact, key=lambda name: (name != family(method), name)) if exact else family(method)


def summary(method: Method) -> str:
    """First line of the module's documentation."""
    return (importlib.import_module(type(method).__module__).__doc__ or "").strip().split("\n", 1)[0]


def field_docs(kind: type) -> dict[str, str]:
    """The text under each field of a dataclass, which Python itself does not keep."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found: dict[str, str] = {}
    for entry, following in pairwise(body):
        if not isinstance(entry, ast.AnnAssign) or not isinstance(entry.target, ast.Name):
            continue
        text = following.value if isinstance(following, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            found[entry.target.id] = " ".join(text.value.split())
    return found


def to_settings(method: Method) -> Settings:
    """Turn a method and its nested parts into plain JSON values."""
    return _converter().unstructure(method, _METHOD)


def from_settings(settings: Mapping[str, object]) -> Method:
    """Turn JSON values back into a method; raises InputError for an unknown name, field or type of value."""
    try:
        return _converter().structure(settings, _METHOD)
    except (cattrs.BaseValidationError, cattrs.ForbiddenExtraKeysError, TypeError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        detail = (
            "; ".join(cattrs.transform_error(error, format_exception=_said))
            if isinstance(error, cattrs.BaseValidationError)
            else str(error)
        )
        raise InputError(f"these are not the settings of a method: {detail}") from error


def _said(error: BaseException, kind: type | None) -> str:
    """The error's own words, which name the value, where it has any."""
    own = isinstance(error, TypeError | ValueError)
    return str(error) if own else cattrs.v.format_exception(error, kind)


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))

    def unstructure(method: Method) -> Settings:
        fields = converter.unstructure(method, type(method))
        return {"method": family(method), **fields}

    def structure(value: object, _: type) -> Method:
        if not isinstance(value, Mapping) or not isinstance(value.get("method"), str):
            raise InputError("the settings of a method are an object with its name under 'method'")
        fields = {key: part for key, part in value.items() if key != "method"}
        chosen: type = type(load(value["method"]))
        return converter.structure(fields, chosen)

    converter.register_unstructure_hook_func(lambda kind: kind is Method, unstructure)
    converter.register_structure_hook_func(lambda kind: kind is Method, structure)
    configure_union_passthrough(int | float | str | bool | None, converter)
    converter.register_unstructure_hook_factory(_is_choice, lambda choice: _tag(converter))
    converter.register_structure_hook_factory(_is_choice, lambda choice: _untag(choice, converter))
    return converter


def _is_choice(kind: object) -> bool:
    """Whether a field may hold one of several dataclasses."""
    members = [part for part in get_args(kind) if part is not type(None)]
    union = get_origin(kind) in (Union, UnionType)
    return union and len(members) > 1 and all(dataclasses.is_dataclass(part) for part in members)


def _tag(converter: cattrs.Converter) -> Callable[[object], object]:
    def unstructure(value: object) -> object:
        return {"type": type(value).__name__, **converter.unstructure(value, type(value))}

    return unstructure


def _untag(choice: object, converter: cattrs.Converter) -> Callable[[object, type], object]:
    members = {part.__name__: part for part in get_args(choice)}

    def structure(value: object, _: type) -> object:
        if not isinstance(value, Mapping) or value.get("type") not in members:
            raise InputError(f"expected an object whose 'type' is one of {', '.join(members)}, got {value!r}")
        return converter.structure({k: v for k, v in value.items() if k != "type"}, members[value["type"]])

    return structure


def _exactly(kind: type) -> Callable[[object, type], object]:
    """Accept only values that are of a kind already, and whole numbers for real ones."""

    def structure(value: object, _: type) -> object:
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits:
            raise TypeError(f"expected {kind.__name__}, got {value!r}")
        return kind(value)

    return structure
