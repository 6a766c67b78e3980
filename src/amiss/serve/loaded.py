"""One model file in memory, tried before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.calibration.conformal import Calibration
from amiss.calibration.table import ScoreTable, tabulate
from amiss.contracts import InputError, WorkError
from amiss.data.images import Images, Layout
from amiss.detector import Detector
from amiss.engine.runtime import place
from amiss.engine.scoring import score_images
from amiss.serve.batching import Scores
from amiss.serve.refusal import RefusedError
from amiss.serve.rolling import DriftOptions, Rolling


@dataclass(frozen=True)
class Decision:
    """How all models of a server decide: at a rate, at a threshold set by hand, or else as their files say."""

    fpr: float | None = None
    threshold: float | None = None

    @property
    def given(self) -> bool:
        """Whether the server decides, and not the model files."""
        return self.fpr is not None or self.threshold is not None

    def applied(self, detector: Detector, path: Path) -> Detector:
        """Let a detector decide so; raises InputError that names the file where its calibration does not allow it."""
        try:
            if self.fpr is not None:
                detector.set_fpr(self.fpr)
            if self.threshold is not None:
                detector.set_threshold(self.threshold)
        except InputError as error:
            raise InputError(f"{path} cannot decide so: {error}") from error
        return detector


OF_FILES = Decision()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model file in memory; requests hold on to the one that they were decoded for."""

    detector: Detector
    calibration: Calibration
    layout: Layout
    rolling: Rolling

    def score(self, pixels: NDArray[np.generic]) -> Scores:
        """Return scores (N,) of images (N, C, H, W) in the layout."""
        return score_images(self.detector.artifact.scorer, Images(pixels))

    def tabulate(self, names: Sequence[str], scores: Scores) -> ScoreTable:
        """Rows for scores (N,); raises RefusedError for a score that is not finite."""
        try:
            return tabulate(list(names), scores, self.calibration, {})
        except InputError as error:
            raise RefusedError(422, f"the model cannot score this: {error}") from error


def load_file(path: Path, device: str, options: DriftOptions, decision: Decision = OF_FILES) -> Loaded:
    """Load a model file and try it.

    Raises InputError for one that is no model or cannot decide as it should, WorkError for one that cannot score.
    """
    detector = decision.applied(Detector.load(path, device=device), path)
    place(detector.artifact.scorer, detector.runtime.resolve())
    calibration, layout = detector.calibration, detector.layout
    if layout.tiling is not None:
        raise InputError(f"{path} sees images as tiles, which are not served; fit without --tile")
    loaded = Loaded(detector, calibration, layout, Rolling(calibration.scores, options))
    spec = layout.spec
    try:
        scores = loaded.score(np.zeros((1, spec.channels, spec.height, spec.width), dtype=layout.depth))
    except RuntimeError as error:
        raise WorkError(f"{path} was read, but cannot score an image: {error}") from error
    if scores.shape != (1,):
        raise WorkError(f"{path} was read, but gives {scores.shape} scores for one image")
    return loaded
