"""What the page of the interface, /openapi.json, says of bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field

from amiss.serve.tensors import HEADER
from amiss.serve.uploads import FIELD, KEY, NAMES

Schema = dict[str, object]


class Row(BaseModel):
    """One image's row, with the names of the score table."""

    image_path: Annotated[str, Field(description="the name that the client gave the file")]
    pred_score: Annotated[float, Field(description="higher = more anomalous")]
    p_value: Annotated[float | None, Field(description="share of normal images that would score at least as high")]
    normal_percentile: Annotated[float | None, Field(description="percentage of calibration images that score lower")]
    pred_label: Annotated[int | None, Field(description="1 anomalous, 0 normal; null without a threshold")]


class Scores(BaseModel):
    """One row for each image, in the request's order."""

    model: str
    results: list[Row]


class BadFile(BaseModel):
    """A file that could not be read, and why."""

    index: Annotated[int, Field(description="place of the file in the request, from 0")]
    image_path: str
    error: str


class Problem(BaseModel):
    """Why a request was refused."""

    error: str
    request_id: str
    files: list[BadFile] | None = None


class Map(BaseModel):
    """Where the score comes from."""

    name: str
    meaning: str
    height: int
    width: int
    high: Annotated[float, Field(description="the value that is shown brightest")]
    values: Annotated[str, Field(description="rows of little-endian float32, base64")]


class Nearest(BaseModel):
    """A training image among the thumbnails in the model file, near by raw pixels."""

    name: str
    distance: float
    image: Annotated[str, Field(description="data address of a PNG")]


class Explanation(BaseModel):
    """One image explained."""

    model: str
    result: Row
    image: Annotated[str, Field(description="the image as the model sees it, a data address of a PNG")]
    counterpart: Annotated[
        str | None, Field(description="its normal counterpart, where the method reconstructs, a data address of a PNG")
    ]
    map: Map | None
    nearest: Annotated[list[Nearest], Field(description="up to three, nearest first; none where none are stored")]


class Drift(BaseModel):
    """Whether recent scores are still like the calibration scores."""

    seen: int
    window: int
    tests: int
    level: float
    p_value: float | None
    statistic: float | None
    drifted: bool


class ModelState(BaseModel):
    """A model and how it decides."""

    name: str
    method: str
    created: str | None
    channels: int
    height: int
    width: int
    depth: str
    fpr: float | None
    threshold: float | None
    decision: Annotated[str, Field(description="who chose it: the model file, or the server for all its models")]
    calibration_images: int
    maps: list[str]
    thumbnails: bool
    queue: int
    drift: Drift


class Models(BaseModel):
    """All models of the server."""

    version: str
    formats: list[str]
    megapixels: float
    body_mb: Annotated[float, Field(description="megabytes of one request's body")]
    images: Annotated[int, Field(description="images in one request")]
    models: list[ModelState]


IMAGES: Schema = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": [KEY],
                    "additionalProperties": False,
                    "properties": {
                        KEY: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "byte"}},
                        NAMES: {"type": "array", "items": {"type": "string"}},
                    },
                }
            },
        },
    }
}
"""Bodies of /score and /explain."""

INFER: Schema = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "required": ["inputs"]}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 1},
            "description": "bytes of the JSON, where tensors follow it",
        }
    ],
}
"""Bodies of infer; their tensors are checked by hand, since they may follow the JSON as bytes."""


def problems(**told: str) -> Mapping[int | str, dict[str, object]]:
    """Answers of these statuses that are a Problem: `problems(s400="...")`."""
    return {int(status[1:]): {"model": Problem, "description": text} for status, text in told.items()}
