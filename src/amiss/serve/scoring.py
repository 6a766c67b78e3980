"""POST /score and /explain, GET /models and /metrics: what people and scripts ask."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from amiss import catalog
from amiss.serve import schema
from amiss.serve.decoding import FORMATS
from amiss.serve.explaining import explain, kinds
from amiss.serve.guard import json_response
from amiss.serve.models import Model
from amiss.serve.refusal import RefusedError
from amiss.serve.serving import serving_of, tell
from amiss.serve.uploads import read_uploads

router = APIRouter()
ModelName = Annotated[str | None, Query(alias="model", description="which model, where there are several")]
PROBLEMS = schema.problems(
    s400="a broken request",
    s401="no token",
    s404="no such model",
    s408="the body came too slowly",
    s413="more than the limits allow",
    s415="another kind of body",
    s422="files that cannot be read; each is named",
    s429="too much is under way; see Retry-After",
)


@router.post("/score", response_model=schema.Scores, responses=dict(PROBLEMS), openapi_extra=schema.IMAGES)
async def score(request: Request, name: ModelName = None) -> Response:
    """Score image files: one row each, in the order of the request."""
    serving = serving_of(request)
    model = serving.model(name)
    uploads = await read_uploads(request, serving.limits)
    tell(request, model=model.name, images=len(uploads))
    table = await model.score_files(uploads)
    serving.metrics.answered(model.name, table)
    return json_response({"model": model.name, "results": [row._asdict() for row in table]})


@router.post("/explain", response_model=schema.Explanation, responses=dict(PROBLEMS), openapi_extra=schema.IMAGES)
async def explain_image(
    request: Request,
    name: ModelName = None,
    kind: Annotated[str | None, Query(alias="map", description="which map; the model's first if not given")] = None,
) -> Response:
    """Explain one image file: its row, a map of where the score comes from, and what it is compared with."""
    serving = serving_of(request)
    model = serving.model(name)
    uploads = await read_uploads(request, serving.limits)
    if len(uploads) != 1:
        raise RefusedError(413, f"the request holds {len(uploads)} images; one is explained at a time")
    tell(request, model=model.name, explained=1)
    found = await model.work_on(uploads[0], lambda to, pixels: explain(to, pixels, uploads[0].name, kind))
    return json_response(
        {
            "model": model.name,
            "result": found.row._asdict(),
            "image": found.image,
            "counterpart": found.counterpart,
            "map": None if found.map is None else asdict(found.map),
            "nearest": [asdict(one) for one in found.nearest],
        }
    )


@router.get("/models", response_model=schema.Models)
async def models(request: Request) -> Response:
    """List the models: what they take, how they decide, how long their queues are, and whether scores have drifted."""
    serving = serving_of(request)
    return json_response(
        {
            "version": version("amiss"),
            "formats": list(FORMATS),
            "megapixels": serving.limits.megapixels,
            "body_mb": serving.limits.body_mb,
            "images": serving.limits.images,
            "models": [_state(model) for model in serving.models.values()],
        }
    )


def _state(model: Model) -> dict[str, object]:
    loaded = model.current
    artifact, calibration = loaded.detector.artifact, loaded.calibration
    return {
        "name": model.name,
        "method": catalog.name_of(artifact.method),
        "created": artifact.record.get("created"),
        **asdict(loaded.layout.spec),
        "depth": loaded.layout.depth,
        "fpr": calibration.fpr,
        "threshold": calibration.threshold,
        "decision": "server" if model.decision.given else "model",
        "calibration_images": calibration.n,
        "maps": kinds(loaded),
        "thumbnails": artifact.thumbnails is not None,
        "queue": model.held,
        "drift": asdict(loaded.rolling.state()),
    }


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Tell Prometheus everything."""
    return Response(serving_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)
