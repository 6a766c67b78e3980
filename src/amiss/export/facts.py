"""What an ONNX file says of itself: its metadata properties, each a JSON value under a name of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from amiss.data.images import DEPTHS, Depth
from amiss.export.tolerance import Scale
from amiss.plain import ImageSpec, InputError

FORMAT = 1
"""Version of these properties; a file of a higher one is refused."""

PREFIX = "amiss."


@dataclass(frozen=True)
class Facts:
    """The properties, by their names without the prefix."""

    method: Mapping[str, object]
    """The method's name and hyperparameters."""
    name: str
    """What the catalogue calls it."""
    spec: ImageSpec
    depth: Depth
    calibration: Mapping[str, object]
    """How many images calibrate, and the median and spread of their scores."""
    fpr: float | None
    threshold: float | None
    """Where the label changes, whether it comes of a rate or was set by hand."""
    seed: int
    fingerprint: str | None
    """Of the images that the model was fitted on."""
    source: str
    """SHA-256 of the model file's content that was exported."""
    versions: Mapping[str, Mapping[str, str]]
    """Of what fitted and of what exported."""
    created: Mapping[str, str]
    """When the model was fitted, and when the file was written."""
    drawn: tuple[float, ...]
    """Scores of the drawn images."""
    parity: Mapping[str, object]
    """What the comparison before writing found."""

    @property
    def scale(self) -> Scale:
        """In what differences of scores are measured."""
        return Scale(*(float(str(self.calibration[key])) for key in ("median", "spread")))

    @property
    def tolerance(self) -> float:
        """Most that scores of two runtimes usually differ, in units of the scale."""
        return float(str(self.parity["tolerance"]))

    def to_properties(self) -> dict[str, str]:
        """As texts by name."""
        values: dict[str, object] = {f.name: getattr(self, f.name) for f in fields(self)}
        spec = self.spec
        values |= {"spec": {"channels": spec.channels, "height": spec.height, "width": spec.width}, "format": FORMAT}
        return {PREFIX + name: json.dumps(value, sort_keys=True) for name, value in values.items()}


def read_facts(properties: Mapping[str, str], name: str) -> Facts:
    """Read the properties of a file, which errors call `name`; raises InputError for a file that is not ours."""
    try:
        found = {
            key.removeprefix(PREFIX): json.loads(text) for key, text in properties.items() if key.startswith(PREFIX)
        }
        written = found.pop("format")
        if written > FORMAT:
            raise InputError(f"{name} was exported by a newer amiss (format {written}, not {FORMAT}): upgrade")
        found["spec"] = ImageSpec(**found["spec"])
        found["drawn"] = tuple(map(float, found["drawn"]))
        facts = Facts(**found)
        if facts.depth not in DEPTHS:
            raise ValueError(f"depth {facts.depth!r}")
        facts.scale, facts.tolerance  # noqa: B018  refuses what is no number
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{name} was not written by amiss export, or it is damaged: it lacks {error}") from error
    return facts
