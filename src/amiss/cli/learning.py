"""The options that say how to learn: the same for a fit on one folder and for fits on many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from amiss.data.store import OnBad
from amiss.engine.runtime import Precision


@dataclass(frozen=True, kw_only=True)
class LearningOptions:
    """What method, from how many pixels, on which device, and what is kept of the images."""

    out: Annotated[Path, arg(aliases=["-o"])]
    """What is written; each verb says what that is, and this keeps it the first option of its help."""
    method: Annotated[str, arg(metavar="NAME")] = "gradcon"
    """Method; `amiss methods` lists them."""
    fpr: float | None = 0.05
    """Promised false-alarm rate on normal images; none for scores without a decision."""
    random_state: int = 0
    """Seed of everything random."""
    size: int | None = None
    """Side in pixels to which images are brought; none for the size that fits them, or their own with --tile."""
    tile: int | None = None
    """Cut images into square tiles of so many pixels a side, for large images, which then keep their own size."""
    tile_overlap: int | None = None
    """Pixels that neighbouring tiles share at least; none for a quarter of a tile."""
    tile_pool: int | None = None
    """An image's score is the mean of so many of its highest tile scores; none or 1 for the highest."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Precision = "float32"
    """Precision of training; scores are always taken in float32."""
    recursive: bool = False
    """Take the images of all subfolders as normal where none is named good, normal or ok."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip and list it."""
    no_thumbnails: bool = False
    """Keep no small copies and names of training images in the model, which pages show beside a new one."""
