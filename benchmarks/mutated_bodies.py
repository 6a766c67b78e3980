"""Requests made wrong by a seed: forms, JSON, tensors, headers, lengths, addresses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from bodies import BOUNDARY, form, request
from mutated_images import WAYS, File

Value = object
ODD: tuple[Value, ...] = (None, True, 0, -1, 2**63, 1e308, "", "x" * 2000, [], {}, [[]], "\ud800", "\0", float("nan"))


@dataclass
class Wrong:
    """A request as it is put together; whatever is set differs from a right one."""

    path: str
    body: bytes
    kind: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    method: str = "POST"
    length: int | str | None = None

    def encoded(self) -> bytes:
        """The bytes that are sent."""
        return request(self.path, self.body, self.kind, method=self.method, headers=self.headers, length=self.length)


def right(rng: Generator, files: list[File], model: str, spec: tuple[int, int, int]) -> Wrong:
    """A request with which nothing is wrong yet."""
    name, content = files[int(rng.integers(len(files)))]
    images = rng.integers(0, 256, (2, *spec), np.uint8)
    tensor: dict[str, Value] = {"name": "images", "datatype": "UINT8", "shape": list(images.shape)}
    route = int(rng.integers(5))
    if route == 0:
        return Wrong(f"/score?model={model}", form([(name, content)]), f"multipart/form-data; boundary={BOUNDARY}")
    if route == 1:
        return Wrong(f"/explain?model={model}", form([(name, content)]), f"multipart/form-data; boundary={BOUNDARY}")
    infer = f"/v2/models/{model}/infer"
    if route == 2:
        body = json.dumps({"images": [base64.b64encode(content).decode()], "names": [name]})
        return Wrong(f"/score?model={model}", body.encode(), "application/json")
    if route == 3:
        body = json.dumps({"inputs": [tensor | {"data": images.ravel().tolist()}]})
        return Wrong(infer, body.encode(), "application/json")
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": images.size}}]}).encode()
    told = [("Inference-Header-Content-Length", str(len(head)))]
    return Wrong(infer, head + images.tobytes(), "application/octet-stream", told)


def scrambled(rng: Generator, wrong: Wrong) -> None:
    """Any bytes of the body."""
    data = bytearray(wrong.body)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            WAYS[int(rng.integers(len(WAYS)))](rng, data)
    wrong.body = bytes(data)


def of_other_structure(rng: Generator, wrong: Wrong) -> None:
    """Values of JSON: others, missing, of another type, nested; forms lose a line."""
    head, _, rest = wrong.body.partition(b"}]}")
    try:
        document = json.loads(head + b"}]}" if rest or head != wrong.body else wrong.body)
    except ValueError:
        lines = wrong.body.split(b"\r\n")
        at = int(rng.integers(len(lines)))
        lines[at : at + 1] = [] if rng.random() < 0.5 else [lines[at], lines[at]]
        wrong.body = b"\r\n".join(lines)
        return
    _change(rng, document)
    body = json.dumps(document).encode()
    if wrong.headers:
        wrong.headers = [("Inference-Header-Content-Length", str(len(body)))]
    wrong.body = body + rest


def _change(rng: Generator, value: Value) -> None:
    """Change something at some depth."""
    keys: list[str] | list[int] = list(value) if isinstance(value, dict) else list(range(len(value)))  # type: ignore[arg-type]
    if not keys:
        return
    key = keys[int(rng.integers(len(keys)))]
    below = value[key]  # type: ignore[index]
    if isinstance(below, (dict, list)) and below and rng.random() < 0.7:
        _change(rng, below)
    elif rng.random() < 0.2:
        del value[key]  # type: ignore[attr-defined]
    else:
        value[key] = ODD[int(rng.integers(len(ODD)))]  # type: ignore[index]


def nested(rng: Generator, wrong: Wrong) -> None:
    """A body of brackets."""
    depth = int(rng.choice([100, 1000, 100_000]))
    wrong.body = rng.choice([b"[", b'{"a":', b'{"images":[']) * depth
    wrong.kind = "application/json"


def of_other_boundary(rng: Generator, wrong: Wrong) -> None:
    """Another boundary than the form's, or one that is none."""
    value = str(rng.choice(["", '""', "x", BOUNDARY[:-1], BOUNDARY + "x", "x" * 100, "\xff", f'"{BOUNDARY}', "a\x01b"]))
    wrong.kind = f"multipart/form-data; boundary={value}"


def of_other_kind(rng: Generator, wrong: Wrong) -> None:
    """Another Content-Type than the body's."""
    kinds = ["", "text/plain", "application/json", "application/octet-stream", "multipart/form-data", "x" * 5000, ";;;"]
    wrong.kind = str(rng.choice(kinds))


def of_other_length(rng: Generator, wrong: Wrong) -> None:
    """A Content-Length that is not the body's, or no number."""
    size = len(wrong.body)
    lengths = [0, size // 2, size + 1, size + 100, 10**9, 10**30, -1, "x", "1e3", "+5", "0x10", f"{size}, {size}"]
    wrong.length = lengths[int(rng.integers(len(lengths)))]


def of_other_headers(rng: Generator, wrong: Wrong) -> None:
    """Headers that mean something, with values that do not."""
    odd = ["", "0", "-1", "1", "x", "9" * 30, "\xff\xfe", "a" * 9000, "1\t", "gzip", "chunked", "100-continue", "null"]
    names = ["Inference-Header-Content-Length", "Content-Encoding", "Transfer-Encoding", "Expect", "Origin", "Host"]
    names += ["Authorization", "X-Request-ID", "Connection", "Upgrade", "Accept", "Cookie"]
    for _ in range(int(rng.integers(1, 4))):
        wrong.headers.append((str(rng.choice(names)), str(rng.choice(odd))))


def of_other_address(rng: Generator, wrong: Wrong) -> None:
    """Another path, query or method."""
    paths = [
        "/",
        "//",
        "/score?model=",
        "/score?model=%00",
        "/score?model=" + "x" * 3000,
        "/explain?map=x",
        "/%ff",
        "*",
    ]
    paths += ["/v2/models/%2e%2e/infer", "/v2/models//infer", "/score/../models", "/score?" + "a=b&" * 500, "/metrics"]
    paths += ["http://example.org/score", "score", "/v2/models/" + "x" * 3000, wrong.path + "&model=y", "/openapi.json"]
    wrong.path = str(rng.choice(paths))
    wrong.method = str(rng.choice(["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "post"]))


WRONGS: tuple[Callable[[Generator, Wrong], None], ...] = (
    *(scrambled, of_other_structure, nested, of_other_boundary, of_other_kind),
    *(of_other_length, of_other_headers, of_other_address, of_other_structure, scrambled),
)


def corpus(seed: int, count: int, files: list[File], model: str, spec: tuple[int, int, int]) -> list[tuple[str, bytes]]:
    """So many wrong requests, each with what was done to it."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        wrong = right(rng, files, model, spec)
        way = WRONGS[int(rng.integers(len(WRONGS)))]
        way(rng, wrong)
        made.append((way.__name__, wrong.encoded()))
    return made
