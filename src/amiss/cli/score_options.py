"""What `amiss score` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from amiss.cli.values import Given
from amiss.data.store import OnBad


@dataclass(frozen=True)
class ScoreOptions:
    """Score images with a model: one row each, with the score, p-value, normal percentile and label."""

    model: Annotated[Path, Positional, arg(metavar="MODEL")]
    """Model file, made by amiss fit; with --route-by, a folder of them, made by amiss fit-each."""
    images: Annotated[Path, Positional, arg(metavar="IMAGES")]
    """One image, a folder with its subfolders, or a CSV or Parquet table with image_path; with --on also tar files."""
    out: Annotated[Path | None, arg(aliases=["-o"], metavar="SCORES", help_behavior_hint="")] = None
    """Table to write, .csv or .parquet; without it, CSV goes to standard output. With --on, a folder."""
    fpr: Annotated[Given | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """Decide at another false-alarm rate than the model's, from its calibration scores."""
    threshold: Annotated[Given | None, arg(metavar="SCORE", help_behavior_hint="")] = None
    """Decide at a threshold set by hand: images that score above it are labelled 1."""
    report: Annotated[Path | None, arg(metavar="FILE.html", help_behavior_hint="")] = None
    """Page to write besides, in which the images are looked at and reviewed; it holds small copies of them."""
    terms: bool = False
    """Add a column for every part of the score."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip and list it."""
    overwrite: bool = False
    """Replace an existing table or page once the new one is written."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    on: Annotated[str | None, arg(metavar="local|ray[://HOST:PORT]", help_behavior_hint="")] = None
    """Score shard by shard into a folder of Parquet files, resumably: here, on Ray here, or on that Ray cluster."""
    workers: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Ray's actors, each with one model; as many as there are processors, or shares of GPUs, if not given."""
    gpus: Annotated[Given | None, arg(metavar="SHARE", help_behavior_hint="")] = None
    """Share of a GPU for each of Ray's actors, such as 0.25; without it they work on one processor each."""
    shard_images: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """With --on, image files in a shard; 1,024 if not given."""
    route_by: Annotated[Literal["folder"] | None, arg(metavar="folder", help_behavior_hint="")] = None
    """Score each image with the model that has the name of the image's folder in IMAGES; rows name the model."""
    skip_unknown: bool = False
    """With --route-by, leave out folders without a model, and list them."""
    resume: bool = False
    """With --on, go on with a run that was interrupted; starts one where there is none."""
    quiet: Annotated[bool, arg(aliases=["-q"])] = False
    """Show no progress and no summary."""
    verbose: Annotated[bool, arg(aliases=["-v"])] = False
    """Tell the settings in force, and each step in a line of its own."""
