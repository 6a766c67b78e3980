"""Checks of a method as settings."""

from __future__ import annotations

import dataclasses
import json

import torch

from amiss import catalog
from amiss.contracts import InputError
from amiss.testing.subject import Subject, require


def has_defaults(subject: Subject) -> None:
    """The class can be made without arguments, twice alike."""
    kind = type(subject.method)
    try:
        first, second = kind(), kind()
    except TypeError as error:
        raise AssertionError(
            f"{kind.__name__}() cannot be made: {error}; give every hyperparameter a default"
        ) from error
    require(first == second, f"{kind.__name__}() is not equal to another {kind.__name__}()")


def is_frozen(subject: Subject) -> None:
    """The class is a frozen dataclass, and so are the parts of the method."""
    todo: list[object] = [subject.method]
    while todo:
        part = todo.pop()
        name = type(part).__name__
        if isinstance(part, list | dict | set):
            raise AssertionError(f"{subject.name} holds {part!r}, which can change: use a tuple or a frozen dataclass")
        if isinstance(part, tuple):
            todo += part
        elif dataclasses.is_dataclass(part):
            todo += [getattr(part, field.name) for field in dataclasses.fields(part)]
            try:
                setattr(part, "anything", None)  # noqa: B010  an assignment by name would not pass the type check
            except dataclasses.FrozenInstanceError:
                continue
            raise AssertionError(f"{name} is not frozen: write @dataclass(frozen=True)")
    require(dataclasses.is_dataclass(subject.method), f"{type(subject.method).__name__} is not a dataclass")


def survives_json(subject: Subject) -> None:
    """Settings become JSON text and back, nested parts too."""
    try:
        settings = catalog.to_settings(subject.method)
        back = catalog.from_settings(json.loads(json.dumps(settings, allow_nan=False)))
    except Exception as error:
        raise AssertionError(
            f"{subject.name} cannot be turned into JSON and back: {type(error).__name__}: {error}"
        ) from error
    require(
        type(back) is type(subject.method) and back == subject.method,
        f"{subject.name} came back from JSON as {back!r}: every field needs a type that tells how to read it",
    )
    require(catalog.to_settings(back) == settings, f"{subject.name} has other settings after a round through JSON")


def uses_or_refuses_known_anomalies(subject: Subject) -> None:
    """Known anomalies are never ignored: a method that does not say `semi_supervised` refuses them."""
    shape = (2, subject.spec.channels, subject.spec.height, subject.spec.width)
    if subject.method.semi_supervised:
        subject.method.learner(subject.spec, known=torch.zeros(shape))
        return
    try:
        subject.method.learner(subject.spec, known=torch.zeros(shape))
    except InputError:
        return
    raise AssertionError(f"{subject.name} was given known anomalies and raised no InputError")
