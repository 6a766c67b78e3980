"""Model files made wrong by a seed: bytes, the safetensors header, and amiss's own header with its checksum right."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from amiss.artifact import file as artifact
from mutated_bodies import _change
from mutated_images import SIZES, WAYS


def bytes_(rng: Generator, data: bytes) -> bytes:
    """Any bytes, most often of the header."""
    head = 8 + int.from_bytes(data[:8], "little")
    changed = bytearray(data[:head] if rng.random() < 0.7 else data)
    rest = data[len(changed) :]
    for _ in range(int(rng.integers(1, 4))):
        if changed:
            WAYS[int(rng.integers(len(WAYS)))](rng, changed)
    return bytes(changed) + rest


def length(rng: Generator, data: bytes) -> bytes:
    """Another length of the header."""
    size = int(rng.choice([*SIZES, 2**63 - 1, len(data), len(data) - 8, 100]))
    return size.to_bytes(8, "little") + data[8:]


def structure(rng: Generator, data: bytes) -> bytes:
    """Other values in the header of safetensors: types, shapes, offsets, metadata."""
    head, rest = _parsed(data)
    _change(rng, head)
    return _joined(head, rest)


def settings(rng: Generator, data: bytes) -> bytes:
    """Other values in amiss's header; its checksum is made right again, as who means harm would make it."""
    head, rest = _parsed(data)
    ours = json.loads(head["__metadata__"][artifact.KEY])
    for _ in range(int(rng.integers(1, 3))):
        _change(rng, ours)
    ours.pop("sha256", None)
    try:
        tensors = artifact.safetensors.torch.load(data)
        ours["sha256"] = artifact._digest(tensors, ours)
        head["__metadata__"][artifact.KEY] = json.dumps(ours, sort_keys=True)
        return _joined(head, rest)
    except (ValueError, UnicodeEncodeError):
        return data[:100]


def _parsed(data: bytes) -> tuple[dict[str, dict[str, str]], bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _joined(head: object, rest: bytes) -> bytes:
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + rest


WRONGS: tuple[Callable[[Generator, bytes], bytes], ...] = (bytes_, length, structure, settings, settings)


def corpus(seed: int, count: int, models: list[bytes]) -> list[tuple[str, bytes]]:
    """So many wrong model files, each with what was done to it."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        way = WRONGS[int(rng.integers(len(WRONGS)))]
        made.append((way.__name__, way(rng, models[int(rng.integers(len(models)))])))
    return made
