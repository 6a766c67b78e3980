"""The Open Inference Protocol, version 2, over REST: what generic clients of inference servers speak."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request
from starlette.responses import Response

from amiss import catalog
from amiss.serve import schema
from amiss.serve.guard import json_response
from amiss.serve.loaded import Loaded
from amiss.serve.models import Model
from amiss.serve.refusal import RefusedError
from amiss.serve.scoring import PROBLEMS
from amiss.serve.serving import serving_of, tell
from amiss.serve.tensors import DATATYPES, HEADER, INPUT, InferRequest, outputs_of, read_infer, to_images, write_infer
from amiss.serve.uploads import read_json_body

router = APIRouter(prefix="/v2")
MISSING = schema.problems(s404="no such model")


@router.get("")
async def server() -> Response:
    """Tell what server this is."""
    return json_response({"name": "amiss", "version": version("amiss"), "extensions": ["binary_tensor_data"]})


@router.get("/health/live")
async def live() -> Response:
    """Tell that the server answers."""
    return json_response({"live": True})


@router.get("/health/ready", responses={503: {"description": "the server is starting or stopping"}})
async def ready(request: Request) -> Response:
    """Tell whether requests should be sent here: 200, or 503 while it starts and stops."""
    is_ready = serving_of(request).ready
    return json_response({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/models/{name}/ready", responses=dict(MISSING))
async def model_ready(request: Request, name: str) -> Response:
    """Tell whether a model is there; one that is, is loaded."""
    return json_response({"name": serving_of(request).model(name).name, "ready": True})


@router.get("/models/{name}", responses=dict(MISSING))
async def metadata(request: Request, name: str) -> Response:
    """Tell what a model takes and gives."""
    model = serving_of(request).model(name)
    loaded = model.current
    spec = loaded.layout.spec
    shape = [-1, spec.channels, spec.height, spec.width]
    return json_response(
        {
            "name": model.name,
            "platform": f"amiss_{catalog.name_of(loaded.detector.artifact.method)}",
            "inputs": [{"name": INPUT, "datatype": DATATYPES[loaded.layout.depth], "shape": shape}],
            "outputs": outputs_of(_columns(loaded)),
        }
    )


def _columns(loaded: Loaded) -> list[str]:
    known = ["p_value", "normal_percentile"] if loaded.calibration.n else []
    return ["pred_score", *known, *(["pred_label"] if loaded.calibration.threshold is not None else [])]


@router.post("/models/{name}/infer", responses=dict(PROBLEMS), openapi_extra=schema.INFER)
async def infer(request: Request, name: str) -> Response:
    """Score images that are tensors of the model's own shape already; they are not resized."""
    serving = serving_of(request)
    model = serving.model(name)
    asked = await _read(request, model)
    tell(request, model=model.name, images=asked.shape[0])
    names = [str(i) for i in range(asked.shape[0])]
    table = await model.score(names, lambda to: to_images(asked, to.layout))
    body, json_length = write_infer(asked, model.name, table)
    serving.metrics.answered(model.name, table)
    if json_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={HEADER: str(json_length)})


async def _read(request: Request, model: Model) -> InferRequest:
    """Read the request for the layout of the moment; a model of another one that comes meanwhile refuses it."""
    given = request.headers.get(HEADER)
    if given is not None and not (given.isascii() and given.isdecimal() and len(given) < 12):
        raise RefusedError(400, f"{HEADER} is {given[:100]!r}; accepted is the number of bytes of the JSON")
    length = None if given is None else int(given)
    limits = model.limits
    if length is not None and length > limits.json_bytes:
        raise RefusedError(413, f"JSON may take {limits.json_mb:g} MB; send tensors as bytes behind it")
    body = await (read_json_body(request, limits) if length is None else request.body())
    return await model.in_decoder(lambda: read_infer(body, length, model.current.layout, limits.images))
