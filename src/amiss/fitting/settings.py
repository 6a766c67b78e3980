"""What a fit is asked for, and the plan that an interrupted one must be resumed with."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch

from amiss import catalog
from amiss.artifact.file import versions
from amiss.contracts import InputError, Method
from amiss.data.reading import Reading
from amiss.engine.runtime import Runtime
from amiss.engine.workdir import Plan
from amiss.transforms.tiles import Tiling


@dataclass(frozen=True)
class Settings:
    """What decides, beside the images, which model a fit makes."""

    method: Method
    runtime: Runtime
    """Device, precision and seed."""
    fpr: float | None
    """Promised false-alarm rate; None for scores without a decision."""
    size: int | None = None
    """Side in pixels to which images are brought; None: the one that fits them, or their own if tiled."""
    tiling: Tiling | None = None
    """How images are cut into tiles; None where the method sees them whole."""
    keep_images: bool = True
    """Whether the model keeps thumbnails of training images."""

    def require_known(self, *, given: bool) -> None:
        """Raise InputError where the method learns from known anomalies and none are given, or the reverse.

        And where it does and images are tiled: most tiles of an anomalous image are normal, and would teach the wrong.
        """
        name = catalog.name_of(self.method)
        if self.method.semi_supervised and self.tiling is not None:
            raise InputError(
                f"{name} learns from known anomalies, and most tiles of an anomalous image are normal: fit it without "
                "tiles (tile=, --tile)"
            )
        if self.method.semi_supervised == given:
            return
        if not given:
            raise InputError(f"{name} learns from known anomalies too: give some, as known= or --known")
        raise InputError(f"{name} learns from normal images only: it cannot use known anomalies (known=, --known)")

    def plan(self, data: str, reading: Reading) -> Plan:
        """Everything that must not change between a fit and its resumption, by the name that an error gives it."""
        knobs = catalog.to_settings(self.method)
        return {
            "data": data[:16],
            "method": str(knobs.pop("method")),
            **{f"method.{name}": json.dumps(value, sort_keys=True) for name, value in knobs.items()},
            "fpr": str(self.fpr),
            "random state": str(self.runtime.seed),
            "size": str(self.size),
            **({} if self.tiling is None else {"tiling": str(self.tiling)}),
            "device": str(self.runtime.resolve()),
            "precision": self.runtime.precision,
            "recursive": str(reading.recursive),
            "group-by": str(reading.group_by),
            "on-bad": reading.on_bad,
            "thread count": str(torch.get_num_threads()),
            **{f"version of {name}": value for name, value in versions().items()},
        }
