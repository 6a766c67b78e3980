"""What a model file remembers of its fit, for people and for a refit: JSON values."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import get_args

import numpy as np
import torch

from amiss.artifact.file import versions
from amiss.data.images import Images
from amiss.data.origin import Origin
from amiss.data.reading import fingerprint
from amiss.data.tiled import ImageSet
from amiss.engine.runtime import Precision, Runtime
from amiss.protocols.split import Split
from amiss.sharing import group


def facts(images: ImageSet, parts: Split, known: Images | None, runtime: Runtime) -> dict[str, object]:
    """Which images took which part, with what they were fitted, and on which machine."""
    counts = {"images": len(images), "train": len(parts.train), "held_out": len(parts.held_out)}
    tiles = {} if isinstance(images, Images) else {"tiles": int(images.counts.sum()), "tiling": str(images.tiling)}
    if known is not None:
        counts["known_anomalies"] = len(known)
    return {
        "data": {
            **counts,
            **tiles,
            "calibration": len(parts.calibration),
            "distinct": len(np.unique(images.digests())),
            "fingerprint": fingerprint(images),
            "skipped": [list(bad) for bad in images.skipped],
        },
        "versions": versions(),
        "machine": {
            "system": platform.platform(),
            "threads": torch.get_num_threads(),
            "device": str(runtime.resolve()),
            **({} if group().count == 1 else {"processes": group().count}),
        },
    }


def given(origin: Origin, runtime: Runtime) -> dict[str, object]:
    """What a refit has to know that no other part of a model file tells."""
    return {**origin.to_record(), "precision": runtime.precision}


def remembered_precision(record: Mapping[str, object], otherwise: Precision) -> Precision:
    """The precision that a model was trained in, where its record tells."""
    was = record.get("given")
    remembered = was.get("precision") if isinstance(was, Mapping) else None
    return next((known for known in get_args(Precision) if known == remembered), otherwise)
