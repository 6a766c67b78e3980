"""One safetensors file: a scorer, its calibration scores, and a JSON header that tells how to rebuild and trust it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from amiss import catalog
from amiss.calibration.conformal import Calibration
from amiss.contracts import ImageSpec, InputError, Method, Scorer
from amiss.data.atomic import write_atomic
from amiss.data.images import DEPTHS, Layout
from amiss.data.resample import LARGEST
from amiss.engine.runtime import place, seeded
from amiss.engine.state import install
from amiss.transforms.tiles import Tiling

FORMAT = 2
"""Version of the file's layout; a file of a higher one is refused. Only a tiled model needs 2, all others are 1."""

KEY = "amiss"
"""The one metadata key of the safetensors file."""

_SCORER = "scorer."
_SCORES = "calibration.scores"
_THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Artifact:
    """What a model file holds."""

    method: Method
    layout: Layout
    scorer: Scorer
    calibration_scores: np.ndarray
    """Scores (n,) in float64 of the calibration normals."""
    fpr: float | None
    threshold: float | None
    """A threshold set by hand; None if it follows from `fpr`."""
    seed: int
    record: dict[str, object] = field(default_factory=dict)
    """Versions, data fingerprint, counts, training log: JSON values, for people."""
    thumbnails: np.ndarray | None = None
    """Some training images, made small, (n, C, h, w) uint8; their names are the record's `thumbnails`."""

    @property
    def tiling(self) -> Tiling | None:
        """How images are cut into the tiles that the scorer sees; None where it sees whole images."""
        return self.layout.tiling

    @property
    def thumbnail_names(self) -> list[str]:
        """Names (n,) of the images that the thumbnails show."""
        names = self.record.get(_THUMBNAILS, [])
        return [str(name) for name in names] if isinstance(names, list) else []


def versions() -> dict[str, str]:
    """Versions of what decides a score."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("amiss", "torch", "numpy", "pillow", "scikit-learn")},
    }


def to_bytes(artifact: Artifact) -> bytes:
    """Serialize; the same artifact gives the same bytes."""
    tensors = {
        _SCORER + name: value.detach().cpu().contiguous() for name, value in artifact.scorer.state_dict().items()
    }
    tensors[_SCORES] = torch.tensor(artifact.calibration_scores, dtype=torch.float64)
    if artifact.thumbnails is not None:
        tensors[_THUMBNAILS] = torch.from_numpy(artifact.thumbnails).contiguous()
    header: dict[str, object] = {
        "format": 1 if artifact.tiling is None else FORMAT,
        "method": catalog.to_settings(artifact.method),
        "layout": {name: value for name, value in asdict(artifact.layout).items() if value is not None},
        "fpr": artifact.fpr,
        "threshold": artifact.threshold,
        "seed": artifact.seed,
        "record": artifact.record,
    }
    header["sha256"] = _digest(tensors, header)
    return safetensors.torch.save(tensors, {KEY: json.dumps(header, sort_keys=True)})


def save(artifact: Artifact, path: Path) -> None:
    """Write the file whole or not at all; raises WorkError if it cannot be written."""
    data = to_bytes(artifact)
    write_atomic(path, lambda file: file.write(data))


def load(path: Path) -> Artifact:
    """Read a model file; no pickle, no network.

    Raises InputError for a file that is missing, truncated, altered, of a newer format, or not a model of amiss.
    """
    if path.is_char_device():
        raise InputError(f"cannot read the model {path}: it is a device; give a file made by amiss fit")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from error
    return from_bytes(data, str(path))


def from_bytes(data: bytes, name: str = "the model") -> Artifact:
    """Read a serialized artifact; `name` is what errors call it."""
    header = _header(data, name)
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{name} is truncated or damaged: {error}; fetch or fit it again") from error
    if _digest(tensors, header) != header.get("sha256"):
        raise InputError(f"{name} was altered after it was written: its checksum does not match; fetch or fit it again")
    return _rebuild(header, tensors, name)


def _header(data: bytes, name: str) -> dict[str, object]:
    """The JSON header, once its format is known to be readable."""
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size].decode("utf-8"))["__metadata__"]
        header = json.loads(metadata[KEY])
        written = header["format"]
        if type(written) is not int or written < 1:
            raise ValueError(f"format {written!r}")
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{name} is not a model written by amiss, or it is damaged; give a file made by amiss fit"
        ) from error
    if written > FORMAT:
        raise InputError(
            f"{name} has format {written}, written by a newer amiss; this one reads up to {FORMAT}: upgrade"
        )
    return header


def _rebuild(header: Mapping[str, object], tensors: Mapping[str, Tensor], name: str) -> Artifact:
    try:
        method = catalog.from_settings(_object(header["method"]))
        fields = _object(header["layout"])
        spec = _spec(_object(fields["spec"]))
        layout = Layout(spec, DEPTHS[DEPTHS.index(fields["depth"])], _tiling(fields.get("tiling"), spec))
        with seeded(0):
            scorer = method.learner(spec).scorer()
        install(scorer, {key[len(_SCORER) :]: value for key, value in tensors.items() if key.startswith(_SCORER)})
        scores = tensors[_SCORES].numpy()
        fpr, threshold = (_number(header[key]) for key in ("fpr", "threshold"))
        Calibration(scores, fpr, threshold)  # refuses scores and decisions that nothing could be decided with
        record, seed = _object(header["record"]), int(str(header["seed"]))
        thumbnails = _thumbnails(tensors.get(_THUMBNAILS), record.get(_THUMBNAILS), layout)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} cannot be rebuilt by this version of amiss: {error}") from error
    place(scorer, torch.device("cpu"))
    scorer = scorer.requires_grad_(False).eval()
    return Artifact(method, layout, scorer, scores, fpr, threshold, seed, dict(record), thumbnails)


def _spec(sizes: Mapping[str, object]) -> ImageSpec:
    """The shape of the images; its limits are those of fitting, so that no header makes a network of any size."""
    spec = ImageSpec(**{key: int(str(value)) for key, value in sizes.items()})
    if spec.channels not in (1, 3) or not all(1 <= side <= LARGEST for side in (spec.height, spec.width)):
        raise ValueError(f"images of {spec.channels} x {spec.height} x {spec.width}")
    return spec


def _tiling(fields: object, spec: ImageSpec) -> Tiling | None:
    if fields is None:
        return None
    given = {key: None if value is None else int(str(value)) for key, value in _object(fields).items()}
    tiling = Tiling(side=given["side"] or 0, overlap=given["overlap"] or 0, pool=given["pool"] or 0, size=given["size"])
    if (spec.height, spec.width) != (tiling.side, tiling.side) or (tiling.size or 0) > LARGEST:
        raise ValueError(f"{tiling} for images of {spec.height} x {spec.width}")
    return tiling


def _thumbnails(pixels: Tensor | None, names: object, layout: Layout) -> np.ndarray | None:
    """Training images made small, which a file need not have; each has a name."""
    if pixels is None:
        return None
    spec = layout.spec if layout.tiling is None else ImageSpec(layout.spec.channels, LARGEST, LARGEST)
    n, sides = (len(names) if isinstance(names, list) else 0), pixels.shape[2:]
    fits = pixels.dim() == 4 and pixels.shape[:2] == (n, spec.channels) and min(sides) >= 1 and n >= 1
    if not fits or pixels.dtype != torch.uint8 or sides[0] > spec.height or sides[1] > spec.width:
        raise ValueError(f"{n} names for thumbnails of shape {tuple(pixels.shape)} and type {pixels.dtype}")
    return pixels.numpy()


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, got {value!r}")
    return value


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, object]) -> str:
    """SHA-256 over every tensor's name, type, shape and bytes, and over the header without its own checksum."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    settings = {key: value for key, value in header.items() if key != "sha256"}
    sha.update(json.dumps(settings, sort_keys=True).encode())
    return sha.hexdigest()
