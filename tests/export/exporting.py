"""Small fitted detectors to export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from amiss import Detector, catalog
from amiss.artifact.file import Artifact
from amiss.contracts import ImageSpec, Method, Scorer
from amiss.data.images import Depth, Images, Layout
from amiss.data.resample import to_depth
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images
from amiss.methods.averaged import Averaged
from amiss.methods.council import Council
from amiss.methods.ensemble import Ensemble
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.methods.typical import Typical
from amiss.testing.samples import Samples, synthetic
from tiny import tiny

SPEC = ImageSpec(1, 28, 28)
FPR = 0.1


@cache
def samples(spec: ImageSpec, depth: Depth) -> Samples:
    """Discs, and discs cut into bands."""
    made = synthetic(spec, train=96, held_out=60, test=20)
    return replace(made, **{name: in_depth(getattr(made, name), depth) for name in ("train", "held_out", "test")})


def in_depth(images: Images, depth: Depth) -> Images:
    return Images(
        to_depth(images.take(np.arange(len(images))).numpy(), depth), [f"{i}.png" for i in range(len(images))]
    )


def fitted(method: Method | str, spec: ImageSpec = SPEC, depth: Depth = "uint8", fpr: float | None = FPR) -> Detector:
    """A detector after one epoch, calibrated on the held-out images."""
    chosen = tiny(light(catalog.load(method))) if isinstance(method, str) else method
    x = samples(spec, depth)
    known = x.known if chosen.semi_supervised else None
    runtime = Runtime("cpu", seed=0)
    found = fit(chosen, spec, x.train, x.held_out, runtime=runtime, max_epochs=1, check=False, known=known)
    scores = score_images(found.scorer, x.held_out) if fpr is not None else np.empty(0)
    record = {"created": "then", "data": {"fingerprint": "ff"}, "versions": {"torch": "0"}}
    return Detector.of(Artifact(chosen, Layout(spec, depth), found.scorer, scores, fpr, None, 0, record), device="cpu")


def light(method: Method) -> Method:
    """A method made of methods with quick members: a graph of GradCon is compared by itself."""
    if isinstance(method, Council):
        return replace(method, members=(PCA(), KNN(k=2)))
    if isinstance(method, Averaged | Ensemble | Typical):
        return replace(method, member=PCA())
    return method


def structure(scorer: Scorer) -> str:
    """What a graph depends on besides its weights: equal for scorers that export alike."""
    shapes = {name: tuple(tensor.shape) for name, tensor in scorer.state_dict().items()}
    plain = [
        {name: _told(value) for name, value in sorted(vars(module).items()) if name not in ("training", "_modules")}
        for module in scorer.modules()
    ]
    return f"{scorer} {shapes} {plain}"


def remembered(convert: Callable[..., bytes]) -> Callable[..., bytes]:
    """A conversion that is not made twice of the same."""
    known: dict[tuple[object, ...], bytes] = {}

    def converted(decision: torch.nn.Module, layout: Layout) -> bytes:
        state = tuple(tensor.numpy().tobytes() for tensor in decision.state_dict().values())
        key = (type(decision), str(decision), layout, hash(state))
        if key not in known:
            known[key] = convert(decision, layout)
        return known[key]

    return converted


def _told(value: object) -> str:
    if isinstance(value, int | float | str | tuple | dict):
        return repr(value) if not isinstance(value, dict) or all(isinstance(v, float) for v in value.values()) else ""
    return str(getattr(value, "__name__", type(value).__name__))
