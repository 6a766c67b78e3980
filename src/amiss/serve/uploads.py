"""From a request's body to image files in memory: a form with many files, or JSON with base64; never an address."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json

from starlette.requests import Request

from amiss.serve.decoding import Upload
from amiss.serve.forms import boundary_of, parts_of
from amiss.serve.limits import Limits
from amiss.serve.refusal import RefusedError

FIELD, KEY, NAMES = "files", "images", "names"
LONGEST_NAME = 1000
AT_ONCE_BYTES = 1_000_000
"""A form of more is taken apart in a thread, since others would wait for its bytes to be copied."""
ACCEPTED = f'multipart/form-data with files in the field "{FIELD}", or application/json with {{"{KEY}": [base64, ...]}}'


async def read_uploads(request: Request, limits: Limits) -> list[Upload]:
    """Read the image files of a request, at least one, in its order.

    Raises RefusedError: 415 for another kind of body, 400 for a broken one, 413 for one that is too large or has too
    many images.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        uploads = await _from_form(request, limits)
    elif kind == "application/json":
        uploads = await asyncio.to_thread(uploads_from_json, await read_json_body(request, limits), limits)
    else:
        raise RefusedError(415, f"the body is {kind or 'of no stated kind'}; accepted is {ACCEPTED}")
    if not uploads:
        raise RefusedError(400, f"the request holds no image; accepted is {ACCEPTED}")
    for upload in uploads:
        if len(upload.name) > LONGEST_NAME:
            raise RefusedError(400, f"a file name has {len(upload.name)} characters; accepted are {LONGEST_NAME}")
    return uploads


async def read_json_body(request: Request, limits: Limits) -> bytes:
    """Read a body that is parsed as JSON; raises RefusedError (413) beyond the limit for that."""
    declared = request.headers.get("content-length", "")
    body = bytearray()
    if not declared.isdecimal() or int(declared) <= limits.json_bytes:
        async for part in request.stream():
            body += part
            if len(body) > limits.json_bytes:
                break
        else:
            return bytes(body)
    raise RefusedError(413, f"JSON may take {limits.json_mb:g} MB; send larger images as multipart/form-data")


def parse_json(body: bytes | memoryview) -> dict[str, object]:
    """Parse an object; raises RefusedError (400) for anything else."""
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:  # bytes that are no text are a ValueError too
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RefusedError(400, f"the body is no JSON: {reason[:200]}") from error
    if not isinstance(value, dict):
        raise RefusedError(400, f"the body is a JSON {type(value).__name__}; accepted is an object")
    return value


def uploads_from_json(body: bytes, limits: Limits) -> list[Upload]:
    """Decode {"images": [base64, ...], "names": [text, ...]}; names are images[0] and so on if not given."""
    document = parse_json(body)
    unknown = [key for key in document if key not in (KEY, NAMES)]
    if unknown:
        raise RefusedError(400, f"unknown key {unknown[0][:100]!r}; accepted are {KEY!r} and {NAMES!r}")
    images = document.get(KEY)
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise RefusedError(400, f"{KEY!r} must be a list of base64 texts, one for each image")
    _require_few(len(images), limits)
    names = document.get(NAMES, [f"{KEY}[{i}]" for i in range(len(images))])
    if not isinstance(names, list) or len(names) != len(images) or not all(isinstance(name, str) for name in names):
        raise RefusedError(400, f"{NAMES!r} must be a list of {len(images)} texts, one for each image")
    return [
        Upload(name, io.BytesIO(_from_base64(text, i)))
        for i, (name, text) in enumerate(zip(names, images, strict=True))
    ]


def _from_base64(text: str, i: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(400, f"{KEY}[{i}] is not base64 of an image file: {error}") from error


async def _from_form(request: Request, limits: Limits) -> list[Upload]:
    boundary = boundary_of(request.headers["content-type"])
    body = b"".join([part async for part in request.stream()])
    if len(body) > AT_ONCE_BYTES:
        return await asyncio.to_thread(uploads_from_form, body, boundary, limits)
    return uploads_from_form(body, boundary, limits)


def uploads_from_form(body: bytes, boundary: bytes, limits: Limits) -> list[Upload]:
    """Take the files of a form; a file without a name is files[0] and so on."""
    uploads: list[Upload] = []
    for part in parts_of(body, boundary):
        if part.name != FIELD:
            raise RefusedError(400, f"unknown field {part.name[:100]!r}; accepted is {ACCEPTED}")
        if part.filename is None:
            raise RefusedError(400, f"the form has a field without a file name; accepted is {ACCEPTED}")
        _require_few(len(uploads) + 1, limits)
        uploads.append(Upload(part.filename or f"{FIELD}[{len(uploads)}]", io.BytesIO(part.content)))
    return uploads


def _require_few(count: int, limits: Limits) -> None:
    if count > limits.images:
        raise RefusedError(413, f"the request holds more than {limits.images} images; send them in several requests")
