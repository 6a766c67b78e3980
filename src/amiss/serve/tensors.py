"""Tensors of the Open Inference Protocol: as numbers in JSON, or as bytes behind it (the binary tensor extension)."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.table import ScoreTable
from amiss.contracts import InputError
from amiss.data.arrays import checked
from amiss.data.images import Depth, Layout
from amiss.serve.refusal import RefusedError
from amiss.serve.uploads import parse_json

HEADER = "Inference-Header-Content-Length"
INPUT = "images"
DATATYPES: Mapping[Depth, str] = {"uint8": "UINT8", "uint16": "UINT16", "float32": "FP32"}
OUTPUTS = {"pred_score": "FP64", "p_value": "FP64", "normal_percentile": "FP64", "pred_label": "INT64"}
_SIZE = "binary_data_size"


@dataclass(frozen=True)
class InferRequest:
    """What a client asks: images by shape and data, and which outputs it wants in which form."""

    id: str | None
    shape: tuple[int, int, int, int]
    data: object
    """Numbers, nested or flat, or the bytes of the tensor, little-endian."""
    outputs: Mapping[str, bool] | None
    """Names of outputs, and whether as bytes; None is all that the model has."""
    binary: bool
    """Whether outputs come as bytes if `outputs` does not say."""


def read_infer(body: bytes, json_length: int | None, layout: Layout, most: int) -> InferRequest:
    """Read a request; json_length: bytes of its JSON where tensors follow it. most: images.

    Raises RefusedError (400, or 413 for too many images) that says what is accepted.
    """
    if json_length is not None and not 0 < json_length <= len(body):
        raise RefusedError(400, f"{HEADER} is {json_length}, and the body has {len(body)} bytes")
    document = parse_json(memoryview(body)[:json_length])
    given = document.get("inputs")
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        raise RefusedError(400, f"'inputs' must be a list of one tensor, {INPUT!r}")
    tensor: dict[str, object] = given[0]
    shape = _shape(tensor, layout, most)
    id_ = document.get("id")
    if id_ is not None and (not isinstance(id_, str) or len(id_) > 1000):
        raise RefusedError(400, "'id' must be a text of at most 1,000 characters")
    data = tensor.get("data")
    size = _object(tensor.get("parameters"), "parameters").get(_SIZE)
    if json_length is not None or size is not None:
        data = _blob(body, json_length, size)
    binary = _object(document.get("parameters"), "parameters").get("binary_data_output") is True
    return InferRequest(id_, shape, data, _wanted(document.get("outputs"), binary), binary)


def _object(value: object, what: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RefusedError(400, f"{what!r} must be an object")
    return value


def _shape(tensor: Mapping[str, object], layout: Layout, most: int) -> tuple[int, int, int, int]:
    spec, datatype = layout.spec, DATATYPES[layout.depth]
    accepted = f"{INPUT!r}, {datatype}, [N, {spec.channels}, {spec.height}, {spec.width}]"
    name, shape = tensor.get("name"), tensor.get("shape")
    if name != INPUT or tensor.get("datatype") != datatype:
        told = f"{str(name)[:100]!r}, {str(tensor.get('datatype'))[:100]}"
        raise RefusedError(400, f"the input is {told}; accepted is {accepted}")
    if (
        not isinstance(shape, list)
        or not all(type(side) is int for side in shape)
        or shape[1:] != [spec.channels, spec.height, spec.width]
        or shape[0] < 1
    ):
        raise RefusedError(400, f"the input's shape is {str(shape)[:100]}; accepted is {accepted}")
    if shape[0] > most:
        raise RefusedError(413, f"the request holds {shape[0]} images; accepted are {most}")
    return shape[0], spec.channels, spec.height, spec.width


def _blob(body: bytes, json_length: int | None, size: object) -> memoryview:
    rest = memoryview(body)[len(body) if json_length is None else json_length :]
    if type(size) is not int or size != len(rest):
        raise RefusedError(400, f"{_SIZE} is {str(size)[:100]}, and {len(rest)} bytes follow the JSON")
    return rest


def _wanted(outputs: object, binary: bool) -> dict[str, bool] | None:
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise RefusedError(400, "'outputs' must be a list of objects")
    found: dict[str, bool] = {}
    for one in outputs:
        name = one.get("name")
        if not isinstance(name, str) or name not in OUTPUTS:
            raise RefusedError(400, f"there is no output {str(name)[:100]!r}; there are {', '.join(OUTPUTS)}")
        found[name] = _object(one.get("parameters"), "parameters").get("binary_data", binary) is True
    return found


def to_images(request: InferRequest, layout: Layout) -> NDArray[np.generic]:
    """Images (N, C, H, W) in the layout; raises RefusedError (400) for other values or another number of them."""
    if request.shape[1:] != (layout.spec.channels, layout.spec.height, layout.spec.width):
        raise RefusedError(400, "the model has just been replaced by one that takes another shape; read its metadata")
    kind = np.dtype(layout.depth).newbyteorder("<")
    count = math.prod(request.shape)
    if isinstance(request.data, memoryview):
        if len(request.data) != count * kind.itemsize:
            raise RefusedError(400, f"{len(request.data)} bytes are no {count} values of {kind.itemsize} bytes")
        values = np.frombuffer(request.data, kind)
    else:
        values = _from_numbers(request.data, count, layout.depth)
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            images = values.reshape(request.shape).astype(layout.depth)
        checked(images, layout)
    except InputError as error:
        raise RefusedError(400, str(error)) from error
    return images


def _from_numbers(data: object, count: int, depth: Depth) -> NDArray[np.generic]:
    """Values in the order in which they stand; numpy is not shown anything but numbers, of which it makes no more."""
    flat = data if isinstance(data, list) else []
    for _ in range(3):
        if any(type(part) is list for part in flat) and all(type(part) is list for part in flat):
            flat = list(itertools.chain.from_iterable(flat))
    if len(flat) != count or not all(type(value) is int or type(value) is float for value in flat):
        raise RefusedError(400, f"'data' must hold {count} numbers, nested as the shape says or flat")
    if depth == "float32":
        if any(type(value) is int and abs(value) > 1 for value in flat):  # there are none that numpy cannot hold
            raise RefusedError(400, "'data' must hold numbers from 0 to 1")
        return np.array(flat, np.float64)
    top = np.iinfo(depth).max
    if not all(type(value) is int and 0 <= value <= top for value in flat):
        raise RefusedError(400, f"'data' must hold whole numbers from 0 to {top}")
    return np.array(flat, depth)


def outputs_of(table_has: Sequence[str]) -> list[dict[str, object]]:
    """Metadata of the outputs that a model has."""
    return [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items() if name in table_has]


def write_infer(request: InferRequest, model: str, table: ScoreTable) -> tuple[bytes, int | None]:
    """The answer's body, and the bytes of its JSON where tensors follow it."""
    columns = table.columns()
    wanted = (
        {name: request.binary for name in OUTPUTS if name in columns} if request.outputs is None else request.outputs
    )
    outputs: list[dict[str, object]] = []
    blobs: list[bytes] = []
    for name, binary in wanted.items():
        if name not in columns:
            raise RefusedError(400, f"model {model} has no output {name!r}: it was fitted without a false-alarm rate")
        values = np.asarray(columns[name])
        output: dict[str, object] = {"name": name, "datatype": OUTPUTS[name], "shape": [len(table)]}
        if binary:
            blobs.append(values.astype(values.dtype.newbyteorder("<")).tobytes())
            output["parameters"] = {_SIZE: len(blobs[-1])}
        else:
            output["data"] = values.tolist()
        outputs.append(output)
    answer: dict[str, object] = {"model_name": model, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    text = json.dumps(answer, allow_nan=False).encode()
    return b"".join([text, *blobs]), len(text) if blobs else None
