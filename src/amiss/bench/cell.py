"""A cell: one method under one protocol with one seed, and the key that its content has."""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import cattrs

from amiss import catalog, protocols
from amiss.contracts import InputError, Method
from amiss.evaluation.result import Json
from amiss.protocols.task import Protocol

KEY_LENGTH = 16
"""Hexadecimal characters of a key: with 64 bits, a clash among a million cells has a chance below 1 in 10 million."""


@dataclass(frozen=True)
class Cell:
    """What is run once: everything that decides the result, and nothing else."""

    method: Method
    protocol: Protocol
    seed: int = 0
    """Of the protocol's draws, the initial weights, the order of images and every other draw."""
    attack: tuple[float, ...] = ()
    """Radii within which the first trial's normal images are attacked too (ARAE, Table 5)."""
    curve: int = 0
    """How many of the last epochs' test AUROC are recorded, for reporting only (ARAE's mean over 50 or 100 epochs)."""
    select: bool = False
    """Whether the epoch is chosen by AUROC on the protocol's labelled selection, as in AMA; the result says so."""

    @cached_property
    def key(self) -> str:
        """Name of the content: equal for equal cells on every machine, another when any setting differs."""
        return hashlib.sha256(canonical(to_json(self)).encode()).hexdigest()[:KEY_LENGTH]


def canonical(value: object) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_json(cell: Cell) -> dict[str, Json]:
    """Return a cell as plain JSON values."""
    kind = type(cell.protocol)
    settled = _converter().structure(_converter().unstructure(cell.protocol, kind), kind)  # 0 and 0.0 become one
    fields = _converter().unstructure(settled, kind)
    method = catalog.from_settings(catalog.to_settings(cell.method))
    settings = json.loads(json.dumps(catalog.to_settings(method)))
    return {
        "method": settings,
        "protocol": {"protocol": type(cell.protocol).__name__, **json.loads(json.dumps(fields))},
        "seed": cell.seed,
        "attack": list(cell.attack),
        "curve": cell.curve,
        "select": cell.select,
    }


def from_json(value: Mapping[str, object]) -> Cell:
    """Return the cell of JSON values; settings that are not named have their defaults.

    Raises InputError for methods, protocols or settings that are not known.
    """
    method, protocol = value.get("method"), value.get("protocol")
    if not isinstance(method, Mapping) or not isinstance(protocol, Mapping):
        raise InputError("a cell is an object with a method and a protocol, each an object of settings")
    name = str(protocol.get("protocol"))
    if name not in protocol_classes():
        raise InputError(f"there is no protocol {name!r}: choose from {', '.join(protocol_classes())}")
    try:
        fields = {key: part for key, part in protocol.items() if key != "protocol"}
        made: Protocol = _converter().structure(fields, protocol_classes()[name])
        rest = _converter().structure({key: part for key, part in value.items() if key in _OWN}, _Own)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        detail = "; ".join(cattrs.transform_error(error))
        raise InputError(f"these are not the settings of a cell: {detail}") from error
    return Cell(catalog.from_settings(method), made, rest.seed, rest.attack, rest.curve, rest.select)


@dataclass(frozen=True)
class _Own:
    """A cell's fields beside its method and its protocol."""

    seed: int = 0
    attack: tuple[float, ...] = ()
    curve: int = 0
    select: bool = False


_OWN = ("seed", "attack", "curve", "select")


@cache
def protocol_classes() -> dict[str, type[Protocol]]:
    """Every protocol by its class's name, from the modules of `amiss.protocols`."""
    found: dict[str, type[Protocol]] = {}
    for info in pkgutil.iter_modules(protocols.__path__):
        module = importlib.import_module(f"{protocols.__name__}.{info.name}")
        found |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__ and _is_protocol(value)
        }
    return dict(sorted(found.items()))


def _is_protocol(value: type) -> bool:
    return issubclass(value, Protocol) and not getattr(value, "__abstractmethods__", None)


@cache
def _converter() -> cattrs.Converter:
    return cattrs.Converter(forbid_extra_keys=True)
