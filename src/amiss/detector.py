"""The user's object: fit on normal images, decide at a guaranteed false-alarm rate, save, load, score."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from amiss import catalog
from amiss.artifact.file import Artifact, load, save
from amiss.calibration.conformal import Calibration, needed
from amiss.calibration.table import ScoreTable, concatenate, tabulate
from amiss.contracts import InputError, Method, Progress
from amiss.data.images import Images, Layout
from amiss.data.listing import FileSource
from amiss.data.origin import Origin
from amiss.data.reading import Reading, Source, fingerprint, fingerprint_source, read_images, read_known
from amiss.data.review import Review
from amiss.data.store import OnBad
from amiss.data.stream import Chunk, Stream, as_images, stream
from amiss.data.tiled import ImageSet
from amiss.engine.processes import agree, leader_first
from amiss.engine.progress import renamed, silent
from amiss.engine.runtime import Precision, Runtime, place
from amiss.engine.scoring import score_images, score_terms
from amiss.engine.workdir import Workdir
from amiss.evaluation.suspicious import suspicion
from amiss.explain.figures import examples_figure, require_matplotlib, scores_figure
from amiss.explain.maps import Explanation, explain_stream
from amiss.explain.nearest import Nearest, nearest_stream
from amiss.fitting.fit import divide, fit_split
from amiss.fitting.notebook import detector_html
from amiss.fitting.recalibrate import recalibrate
from amiss.fitting.record import given, remembered_precision
from amiss.fitting.refit import refit
from amiss.fitting.settings import Settings
from amiss.protocols.split import Split
from amiss.sharing import leads
from amiss.transforms.tiles import Tiling

if TYPE_CHECKING:
    from amiss.explain.figures import Figure


class Detector:
    """Learns from normal images alone; labels a normal image anomalous with probability at most `fpr`.

    method: a name from `amiss.catalog.names()` or a Method. fpr: promised false-alarm rate in (0, 1); None gives scores
    without a decision. size: side in pixels to which images are brought; by default it follows the images. keep_images:
    whether the model file keeps thumbnails of some training images and their names, for `nearest`.
    tile: side in pixels of square tiles, for large images, which then keep their own size unless `size` is given. The
    method sees tiles; images are divided, scored, calibrated and explained whole. tile_overlap: pixels that
    neighbouring tiles share at least, a quarter of their side if not given. tile_pool: an image's score is the mean of
    so many of its highest tile scores; 1, the highest, if not given. `docs/tiles.md` tells more.
    Raises InputError for an unknown method, a rate outside (0, 1), or tiles that make no sense.
    """

    def __init__(
        self,
        method: str | Method = "gradcon",
        *,
        fpr: float | None = 0.05,
        random_state: int = 0,
        size: int | None = None,
        device: str = "auto",
        precision: Precision = "float32",
        keep_images: bool = True,
        tile: int | None = None,
        tile_overlap: int | None = None,
        tile_pool: int | None = None,
    ) -> None:
        self.method = catalog.load(method) if isinstance(method, str) else method
        if not isinstance(self.method, Method):
            raise InputError(f"{method!r} is no method: give a name, such as 'gradcon', or a Method")
        if not isinstance(random_state, int | np.integer):
            raise InputError(f"random_state is {random_state!r}: it must be a whole number")
        if fpr is not None:
            needed(fpr)  # refuses what is not a rate
        self.fpr = None if fpr is None else float(fpr)
        self.random_state, self.size, self.keep_images = int(random_state), size, keep_images
        self.tiling = Tiling.of(tile, tile_overlap, tile_pool, size)
        self.runtime = Runtime(device, precision, self.random_state)
        self._artifact: Artifact | None = None
        self._images: ImageSet | None = None
        self.notes: list[str] = []
        """What the last fit read and did, a line each."""

    # Fitting

    def fit(
        self,
        x: Source,
        *,
        reading: Reading | None = None,
        groups: NDArray[np.int64] | None = None,
        known: Source | None = None,
        workdir: str | Path | None = None,
        resume: bool = False,
        check: bool = True,
        progress: Progress = silent,
    ) -> Self:
        """Train on normal images and calibrate on others that training did not see.

        x: a folder, paths, a table with `image_path`, or an array NHW, NHWC or NCHW. groups: codes (N,) of an array's
        images. known: anomalies, likewise, for the semi-supervised methods alone; they take no part in calibration.
        workdir: folder for checkpoints, with which a killed fit can be resumed. check: whether signs of broken training
        raise.
        Raises InputError for images that cannot be used and WorkError if the work fails.
        """
        reading, settings = reading or Reading(), self._settings
        self.runtime.resolve()
        settings.require_known(given=known is not None)
        folder = self._folder(workdir)
        seen = {} if known is None else {"known anomalies": fingerprint_source(known)[:16]}

        def announce(fingerprint: str) -> None:
            if workdir is not None and leads():
                Workdir(folder).open(settings.plan(fingerprint, reading) | seen, resume=resume)

        progress = progress if leads() else silent
        with leader_first():
            store = (folder if leads() or (folder / "store").exists() else self._folder(None)) / "store"
            images, self.notes = read_images(x, store, reading, self.size, groups, announce, progress, self.tiling)
        agree("images", lambda: fingerprint(images).encode())
        anomalies = None if known is None else read_known(known, images.layout, images)
        if anomalies is not None:
            self.notes.append(f"{len(anomalies):,} known anomalies, to learn from")
        kept = folder if workdir is not None else None
        self.fit_split(images, self.split(images), known=anomalies, workdir=kept, check=check, progress=progress)
        remembered = given(Origin.of(x, known, reading), self.runtime)
        self._artifact = replace(self.artifact, record={**self.artifact.record, "given": remembered})
        return self

    def refit(
        self,
        review: str | Path | Review,
        normal: FileSource | None = None,
        *,
        reading: Reading | None = None,
        known: FileSource | None = None,
        workdir: str | Path | None = None,
        resume: bool = False,
        check: bool = True,
        progress: Progress = silent,
    ) -> Detector:
        """Train anew on the training images as a person's review leaves them; returns another detector.

        review: a CSV file with image_path and review (normal, anomaly, unsure), or what `read_review` returns; marks of
        earlier refits go on counting. normal, reading, known: as for `fit`; what the model remembers if not given.
        Method, settings, layout, seed and rate are the model's. `docs/review.md` tells what a mark does.
        Raises InputError for a review or images that cannot be used and WorkError if the work fails.
        """
        before, tiling = self.artifact, self.artifact.tiling
        fresh = Detector(
            before.method,
            fpr=before.fpr,
            random_state=before.seed,
            size=before.layout.spec.height if tiling is None else tiling.size,
            device=self.runtime.device,
            precision=remembered_precision(before.record, self.runtime.precision),
            keep_images=before.thumbnails is not None,
        )
        fresh.tiling = tiling
        made = refit(
            before,
            fresh._settings,
            review,
            fresh._folder(workdir),
            normal=normal,
            reading=reading,
            known=known,
            resume=None if workdir is None else resume,
            check=check,
            progress=progress,
        )
        fresh._artifact, fresh._images, fresh.notes = made.artifact, made.images, made.notes
        return fresh

    def suspicious(
        self,
        x: Source,
        *,
        folds: int = 5,
        reading: Reading | None = None,
        groups: NDArray[np.int64] | None = None,
        progress: Progress = silent,
    ) -> ScoreTable:
        """Rank training images, the most suspicious first, by fits of this method that did not see them.

        Needs no fit before, and leaves this detector as it is. folds: how many fits; one is a fit on all images, scored
        as it is. x, reading, groups: as for `fit`. Raises InputError and WorkError as `fit`, and for a method that
        learns from known anomalies.
        """
        self._settings.require_known(given=False)
        with tempfile.TemporaryDirectory(prefix="amiss-") as folder:
            images, _ = read_images(
                x, Path(folder, "store"), reading or Reading(), self.size, groups, lambda _: None, progress, self.tiling
            )
            scores = suspicion(self.method, images, folds=folds, runtime=self.runtime, progress=progress)
            order = np.argsort(-scores, kind="stable")
            names = [images.name(int(i)) for i in order]
        return tabulate(names, scores[order], Calibration(np.empty(0)), {})

    def split(self, images: ImageSet) -> Split:
        """Choose which normal images train, which select, and which calibrate.

        Raises InputError where they are too few for the false-alarm rate.
        """
        return divide(self._settings, images)

    def fit_split(
        self,
        images: ImageSet,
        parts: Split,
        *,
        known: Images | None = None,
        workdir: Path | None = None,
        check: bool = True,
        progress: Progress = silent,
    ) -> Self:
        """Train and calibrate on images whose parts are known; raises WorkError if training breaks down.

        Raises InputError for images that are not cut into tiles as this detector cuts them.
        """
        self._artifact = fit_split(
            self._settings, images, parts, known=known, workdir=workdir, check=check, progress=progress
        )
        self._images = images
        self.__dict__.pop("decision_scores_", None)
        return self

    @property
    def _settings(self) -> Settings:
        return Settings(self.method, self.runtime, self.fpr, self.size, self.tiling, self.keep_images)

    def _folder(self, workdir: str | Path | None) -> Path:
        """Where images are decoded: a temporary folder, which goes with the detector, if no other is given."""
        if workdir is not None:
            return Path(workdir)
        folder = Path(tempfile.mkdtemp(prefix="amiss-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    # What a fit leaves

    @property
    def artifact(self) -> Artifact:
        """What a model file holds; raises InputError before a fit."""
        if self._artifact is None:
            raise InputError("this detector is not fitted: call fit, or Detector.load")
        return self._artifact

    @property
    def layout(self) -> Layout:
        """Shape and depth of the model's images, or of its tiles; `layout.tiling` tells which."""
        return self.artifact.layout

    @property
    def calibration(self) -> Calibration:
        """Calibration scores and the decision in force."""
        a = self.artifact
        return Calibration(a.calibration_scores, a.fpr if a.threshold is None else None, a.threshold)

    @property
    def threshold_(self) -> float | None:
        """Images that score above this are labelled anomalous; None without a decision."""
        return self.calibration.threshold

    @cached_property
    def decision_scores_(self) -> NDArray[np.float64]:
        """Scores (N,) of the images given to fit, higher = more anomalous; computed when first asked for."""
        if self._images is None:
            raise InputError(
                "the training images are not part of a model file: decision_scores_ is there after fit only"
            )
        return score_images(self.artifact.scorer, self._images)

    @property
    def labels_(self) -> NDArray[np.int64]:
        """Labels (N,) of the images given to fit: 0 normal, 1 anomalous."""
        return self.calibration.predict(self.decision_scores_)

    # Scoring

    def decision_function(self, x: Source, *, progress: Progress = silent) -> NDArray[np.float64]:
        """Scores (N,) of images, higher = more anomalous; raises InputError for images that cannot be read."""
        return self.score(x, progress=progress).pred_score

    def predict(self, x: Source, *, progress: Progress = silent) -> NDArray[np.int64]:
        """Labels (N,): 0 normal, 1 anomalous; false alarms on normal images at most `fpr`.

        Raises InputError without a threshold (`fpr=None`).
        """
        return self.calibration.predict(self.decision_function(x, progress=progress))

    def p_value(self, x: Source, *, progress: Progress = silent) -> NDArray[np.float64]:
        """Conformal p-values (N,) in (0, 1]; small = anomalous."""
        return self.calibration.p_value(self.decision_function(x, progress=progress))

    def score(
        self, x: Source, *, on_bad: OnBad = "stop", terms: bool = False, progress: Progress = silent
    ) -> ScoreTable:
        """Score images into one table; `terms` adds a column for every part of the score."""
        source = self.stream(x, on_bad=on_bad)
        return concatenate([table for table, _ in self.score_stream(source, terms=terms, progress=progress)])

    def stream(self, x: Source, *, on_bad: OnBad = "stop") -> Stream:
        """Prepare images for `score_stream`; a folder is read with all its subfolders."""
        return stream(x, self.layout, on_bad=on_bad)

    def score_stream(
        self, source: Stream, *, terms: bool = False, progress: Progress = silent
    ) -> Iterator[tuple[ScoreTable, Chunk]]:
        """Score images chunk by chunk, in bounded memory."""
        scorer, calibration = self.artifact.scorer, self.calibration
        place(scorer, self.runtime.resolve())
        done = 0
        parts: dict[str, NDArray[np.float64]] = {}

        def tell(_: str, tile: int, tiles: int, __: str) -> None:
            progress("scoring", done, source.total, f"tile {tile:,} of {tiles:,}")

        for chunk in source:
            images = as_images(chunk, self.layout)
            if len(images):
                scores = score_images(scorer, images, tell if self.layout.tiling else silent)
                parts = score_terms(scorer, images) if terms else {}
            else:  # the last files could not be read
                scores, parts = np.empty(0), {name: np.empty(0) for name in parts}
            done += len(images) + len(chunk.skipped)
            progress("scoring", done, source.total, "")
            yield tabulate(chunk.names, scores, calibration, parts), chunk

    # Explaining

    def explain(
        self,
        x: Source,
        maps: Sequence[str] | None = None,
        *,
        patch: int | None = None,
        progress: Progress = silent,
    ) -> Explanation:
        """Maps (N, H, W) in the model's size of where and why images are anomalous; `docs/explain.md` has their signs.

        maps: which of residual, occlusion, substitution, gradient, layers; all that the method has if not given. patch:
        side in pixels of what is hidden at a time, a fourteenth of the image if not given; patches overlap by half.
        A tiled model explains tile by tile, in the images' own size. It has the map tiles, their scores, besides, and
        does not hide patches of every tile unless it is asked to.
        Raises InputError for a map that the method lacks, a patch larger than the image, and unreadable images.
        """
        scorer = self.artifact.scorer
        place(scorer, self.runtime.resolve())
        return explain_stream(scorer, self.stream(x), self.layout, maps, patch, progress)

    def nearest(self, x: Source, k: int = 3) -> Nearest:
        """The k training images nearest to each of N images, among the thumbnails in the model file, by raw pixels.

        `artifact.thumbnails[nearest.index]` shows them, `nearest.names` tells which they are. Raises InputError for a
        model without thumbnails (`keep_images=False`, or an older file), and for k below 1.
        """
        artifact = self.artifact
        if artifact.thumbnails is None:
            raise InputError("this model keeps no training images: fit it with keep_images=True")
        known = Images(artifact.thumbnails, names=artifact.thumbnail_names)
        return nearest_stream(self.stream(x), known, k, self.runtime.resolve())

    # Figures and notebooks

    def plot_scores(self, x: Source | None = None, *, progress: Progress = silent) -> Figure:
        """Matplotlib figure of the calibration scores, the threshold and, if given, the scores of images.

        Raises InputError without Matplotlib (`pip install "amiss[report]"`) and where there are no scores at all.
        """
        require_matplotlib()
        return scores_figure(self.calibration, None if x is None else self.decision_function(x, progress=progress))

    def plot_examples(self, x: Source, n: int = 8, *, progress: Progress = silent) -> Figure:
        """Matplotlib figure of the n images that score highest, those that are labelled 1 in a frame.

        Raises InputError without Matplotlib (`pip install "amiss[report]"`) and for n below 1.
        """
        require_matplotlib()
        return examples_figure(self.score_stream(self.stream(x), progress=progress), self.layout, n)

    def _repr_html_(self) -> str:
        return detector_html(self.method, self._artifact)

    # Deciding anew, saving, loading

    def set_fpr(self, fpr: float | None) -> Self:
        """Decide at another false-alarm rate, from the stored calibration scores, without training.

        Raises InputError for a rate that they do not support; it names the smallest that they do.
        """
        Calibration(self.artifact.calibration_scores, fpr)
        return self._decide(fpr, None)

    def set_threshold(self, threshold: float) -> Self:
        """Decide at a threshold set by hand; raises InputError unless it is finite."""
        self.calibration.with_threshold(threshold)
        return self._decide(None, float(threshold))

    def calibrate(
        self, x: Source, *, fpr: float | None = None, on_bad: OnBad = "stop", progress: Progress = silent
    ) -> Self:
        """Replace the calibration scores by those of other normal images; nothing is trained.

        x: normal images that training never saw, as a sample of those to come, not picked for their scores; copies with
        equal pixels count once. fpr: the rate from now on; the decision in force, if not given.
        Raises InputError for images that training is known to have seen, or too few; it names how many are needed.
        """
        before, source = self.calibration, self.stream(x, on_bad=on_bad)
        manual = before.manual if fpr is None else None
        rate = before.fpr if fpr is None else fpr
        Calibration(np.zeros(source.total), rate)  # refuses too few before any image is read
        scored = self.score_stream(source, progress=renamed(progress, "calibrating"))
        self._artifact = recalibrate(self.artifact, scored, fpr=rate, threshold=manual)
        self.fpr = self._artifact.fpr
        return self

    def _decide(self, fpr: float | None, threshold: float | None) -> Self:
        self.fpr = None if fpr is None else float(fpr)
        self._artifact = replace(self.artifact, fpr=self.fpr, threshold=threshold)
        return self

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all; raises WorkError if it cannot be written."""
        save(self.artifact, Path(path))

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Detector:
        """Read a model file; raises InputError if it is not one, was altered, or is of a newer format."""
        return cls.of(load(Path(path)), device=device)

    @classmethod
    def of(cls, artifact: Artifact, *, device: str = "auto") -> Detector:
        """Wrap what a model file holds."""
        detector = cls(artifact.method, fpr=artifact.fpr, random_state=artifact.seed, device=device)
        detector._artifact, detector.tiling = artifact, artifact.tiling
        return detector

    def __repr__(self) -> str:
        state = "not fitted" if self._artifact is None else f"threshold={self.threshold_}"
        tiles = "" if self.tiling is None else f", {self.tiling.as_arguments()}"
        name = catalog.name_of(self.method)
        return f"Detector({name!r}, fpr={self.fpr}, random_state={self.random_state}{tiles}; {state})"
