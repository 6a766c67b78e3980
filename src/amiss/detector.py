"""The user's object: fit on normal images, decide at a guaranteed false-alarm rate, save, load, score."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from amiss import catalog
from amiss.artifact.file import Artifact, load, save
from amiss.calibration.conformal import Calibration, calibration_size
from amiss.calibration.table import ScoreTable
from amiss.contracts import InputError, Method, Progress
from amiss.data.arrays import images_from_array, is_array
from amiss.data.decode import plan_layout
from amiss.data.images import Images, Layout
from amiss.data.listing import Listing, Source, list_images
from amiss.data.store import OnBad, decode_store
from amiss.data.stream import Chunk, stream
from amiss.engine.fitting import fit
from amiss.engine.progress import silent
from amiss.engine.runtime import Precision, Runtime, derive, place, seeded
from amiss.engine.scoring import score_images, score_terms
from amiss.engine.workdir import Plan, Workdir
from amiss.protocols.split import Split, held_out_size, split


@dataclass(frozen=True)
class Reading:
    """How files become images; none of it matters for arrays."""

    recursive: bool = False
    """Whether a folder with subfolders of other names than good, normal or ok is read whole."""
    group_by: str | None = None
    """Images of one group never stand on both sides of a split: a table's column, or a pattern matched on each path."""
    on_bad: OnBad = "stop"
    """What to do with a file that cannot be read: stop and name it, or skip and list it."""


class Detector:
    """Learns from normal images alone; labels a normal image anomalous with probability at most `fpr`.

    method: a name from `amiss.catalog.names()` or a Method. fpr: promised false-alarm rate in (0, 1); None gives scores
    without a decision. size: side in pixels to which images are brought; by default it follows the images.
    Raises InputError for an unknown method or a rate outside (0, 1).
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
    ) -> None:
        self.method = catalog.load(method) if isinstance(method, str) else method
        calibration_size(10**9, fpr)  # refuses a rate that no number of images supports
        self.fpr, self.random_state, self.size = fpr, random_state, size
        self.runtime = Runtime(device, precision, random_state)
        self._artifact: Artifact | None = None
        self._images: Images | None = None
        self.notes: list[str] = []
        """What the last fit read and did, a line each."""

    # Fitting

    def fit(
        self,
        x: Source,
        *,
        reading: Reading | None = None,
        groups: NDArray[np.int64] | None = None,
        workdir: str | Path | None = None,
        resume: bool = False,
        check: bool = True,
        progress: Progress = silent,
    ) -> Self:
        """Train on normal images and calibrate on others that training did not see.

        x: a folder, paths, a table with `image_path`, or an array NHW, NHWC or NCHW. groups: codes (N,) of an array's
        images. workdir: folder for checkpoints, with which a killed fit can be resumed. check: whether signs of broken
        training raise.
        Raises InputError for images that cannot be used and WorkError if the work fails.
        """
        started = time.perf_counter()
        reading = reading or Reading()
        self.runtime.resolve()
        folder = Path(workdir) if workdir is not None else None
        images = self._read(x, reading, groups, folder, resume, progress)
        parts = self._split(images)
        train, held_out, held_back = (images.subset(i) for i in (parts.train, parts.held_out, parts.calibration))
        fitted = fit(
            self.method,
            images.spec,
            train,
            held_out if len(held_out) else None,
            runtime=self.runtime,
            workdir=folder,
            check=check,
            progress=progress,
        )
        scores = score_images(fitted.scorer, held_back, _named(progress, "calibrating"))
        record = {
            **self._facts(images, parts),
            "log": fitted.log,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
        }
        calibration = Calibration(scores, self.fpr)
        self._artifact = Artifact(
            self.method, images.layout, fitted.scorer, calibration.scores, self.fpr, None, self.random_state, record
        )
        self._images = images
        self.__dict__.pop("decision_scores_", None)
        return self

    def _read(
        self,
        x: Source,
        reading: Reading,
        groups: NDArray[np.int64] | None,
        folder: Path | None,
        resume: bool,
        progress: Progress,
    ) -> Images:
        """Images of one layout, and the plan of the fit written where it can be resumed."""
        if is_array(x):
            images = images_from_array(x, size=self.size, groups=groups)
            if folder is not None:
                Workdir(folder).open(self._plan(_fingerprint(images), reading), resume=resume)
            self.notes = [f"{len(images):,} images from an array"]
            return images
        if groups is not None:
            raise InputError("groups is for arrays: for files, give Reading(group_by=...)")
        found = list_images(x, recursive=reading.recursive, group_by=reading.group_by)
        self.notes = found.describe()
        normals = found.normal()
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="amiss-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        else:
            Workdir(folder).open(self._plan(normals.fingerprint(), reading), resume=resume)
        return self._decode(normals, reading, folder / "store", progress)

    def _decode(self, normals: Listing, reading: Reading, folder: Path, progress: Progress) -> Images:
        layout = plan_layout(normals, self.size, on_bad=reading.on_bad, progress=progress)
        return decode_store(normals, layout, folder, on_bad=reading.on_bad, progress=progress)

    def _plan(self, data: str, reading: Reading) -> Plan:
        """Everything that must not change between a fit and its resumption, by the name that an error gives it."""
        return {
            "data": data,
            "method": json.dumps(catalog.to_settings(self.method), sort_keys=True),
            "fpr": str(self.fpr),
            "random state": str(self.random_state),
            "size": str(self.size),
            "device": str(self.runtime.resolve()),
            "precision": self.runtime.precision,
            "recursive": str(reading.recursive),
            "group-by": str(reading.group_by),
            "on-bad": reading.on_bad,
            "thread count": str(torch.get_num_threads()),
            **{f"version of {name}": value for name, value in versions().items()},
        }

    def _split(self, images: Images) -> Split:
        n_calibration = calibration_size(len(images), self.fpr)
        with seeded(0):
            wants = self.method.learner(images.spec).held_out
        n_held_out = held_out_size(len(images) - n_calibration) if wants else 0
        seed = derive(self.random_state, "split")
        return split(images, n_calibration=n_calibration, n_held_out=n_held_out, seed=seed)

    def _facts(self, images: Images, parts: Split) -> dict[str, object]:
        counts = {"images": len(images), "train": len(parts.train), "held_out": len(parts.held_out)}
        return {
            "data": {
                **counts,
                "calibration": len(parts.calibration),
                "distinct": len(np.unique(images.digests())),
                "fingerprint": _fingerprint(images),
                "skipped": [list(bad) for bad in images.skipped],
            },
            "versions": versions(),
            "machine": {
                "system": platform.platform(),
                "threads": torch.get_num_threads(),
                "device": str(self.runtime.resolve()),
            },
        }

    # What a fit leaves

    @property
    def artifact(self) -> Artifact:
        """What a model file holds; raises InputError before a fit."""
        if self._artifact is None:
            raise InputError("this detector is not fitted: call fit, or Detector.load")
        return self._artifact

    @property
    def layout(self) -> Layout:
        """Shape and depth of the model's images."""
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
        return concatenate([table for table, _ in self.score_stream(x, on_bad=on_bad, terms=terms, progress=progress)])

    def score_stream(
        self, x: Source, *, on_bad: OnBad = "stop", terms: bool = False, progress: Progress = silent
    ) -> Iterator[tuple[ScoreTable, Chunk]]:
        """Score images chunk by chunk, in bounded memory; a folder is read with all its subfolders."""
        scorer, calibration = self.artifact.scorer, self.calibration
        place(scorer, self.runtime.resolve())
        done = 0
        for chunk in stream(x, self.layout, on_bad=on_bad):
            images = Images(chunk.pixels.numpy(), names=chunk.names)
            parts = score_terms(scorer, images) if terms else {}
            scores = score_images(scorer, images)
            done += len(images)
            progress("scoring", done, chunk.total, "")
            yield tabulate(chunk.names, scores, calibration, parts), chunk

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

    def _decide(self, fpr: float | None, threshold: float | None) -> Self:
        a = self.artifact
        self.fpr = fpr
        self._artifact = Artifact(a.method, a.layout, a.scorer, a.calibration_scores, fpr, threshold, a.seed, a.record)
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
        detector._artifact = artifact
        return detector

    def __repr__(self) -> str:
        state = "not fitted" if self._artifact is None else f"threshold={self.threshold_}"
        return f"Detector({catalog.name_of(self.method)!r}, fpr={self.fpr}, random_state={self.random_state}; {state})"


def versions() -> dict[str, str]:
    """Versions of what decides a score."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("amiss", "torch", "numpy", "pillow", "scikit-learn")},
    }


def tabulate(
    names: list[str], scores: NDArray[np.float64], calibration: Calibration, terms: dict[str, NDArray[np.float64]]
) -> ScoreTable:
    """Rows for scores (N,), with whatever the calibration can say of them."""
    known = calibration.n > 0
    return ScoreTable(
        names,
        scores,
        calibration.p_value(scores) if known else None,
        calibration.normal_percentile(scores) if known else None,
        calibration.predict(scores) if calibration.threshold is not None else None,
        terms,
    )


def concatenate(tables: list[ScoreTable]) -> ScoreTable:
    """One table of the rows of several, which have the same columns."""
    first = tables[0]

    def join(column: str) -> NDArray[np.generic] | None:
        parts = [getattr(table, column) for table in tables]
        return None if parts[0] is None else np.concatenate(parts)

    return ScoreTable(
        [name for table in tables for name in table.image_path],
        np.concatenate([table.pred_score for table in tables]),
        join("p_value"),
        join("normal_percentile"),
        join("pred_label"),
        {name: np.concatenate([table.terms[name] for table in tables]) for name in first.terms},
    )


def _fingerprint(images: Images) -> str:
    """SHA-256 over the images' digests in sorted order: equal for equal sets of images."""
    return hashlib.sha256(np.sort(images.digests()).tobytes()).hexdigest()


def _named(progress: Progress, what: str) -> Progress:
    return lambda _, done, total, detail: progress(what, done, total, detail)
