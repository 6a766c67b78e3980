"""A refit, made ready: the training files that a model remembers, those that a review adds, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, Progress
from amiss.data.images import Layout
from amiss.data.listing import FileSource, Listing, list_images
from amiss.data.origin import Origin
from amiss.data.reading import Reading, fingerprint, fingerprint_source
from amiss.data.review import (
    Review,
    Said,
    digests_of,
    fingerprint_said,
    is_file,
    join_files,
    locate,
    read_review,
    settle,
)
from amiss.data.store import decode_store
from amiss.data.tiled import ImageSet
from amiss.protocols.reviewed import Parts, split_reviewed
from amiss.protocols.split import Split


@dataclass(frozen=True, eq=False)
class Refit:
    """What a refit works on, before an image of the pool is decoded."""

    layout: Layout
    origin: Origin
    listing: Listing
    """Training files, then those that join them."""
    pool: int
    """How many of the listing are training files."""
    said: list[Said]
    """Everything that counts, earlier reviews included."""
    files: Mapping[str, str]
    """The file of each image of this review, by the path that the review gives it."""
    known: FileSource | None
    before: Mapping[str, object]
    """The old model's record."""
    lines: list[str]

    def plan(self) -> dict[str, str]:
        """What must not change when the refit is resumed, besides what must not change in any fit."""
        known = {} if self.known is None else {"known anomalies": fingerprint_source(self.known)[:16]}
        return {"review": fingerprint_said(self.said)[:16], **known}

    def read(self, folder: Path, progress: Progress) -> ImageSet:
        """Decode all files in the old model's layout."""
        return decode_store(self.listing, self.layout, folder, on_bad=self.origin.reading.on_bad, progress=progress)

    def divide(self, images: ImageSet, divide: Callable[[ImageSet], Split]) -> Parts:
        """Choose what trains and what calibrates; divide: the usual rule."""
        bad, doubtful = ({one.digest for one in self.said if one.mark == mark} for mark in ("anomaly", "unsure"))
        return split_reviewed(images, self._own(images), bad, doubtful, divide)

    def notes(self, parts: Parts) -> list[str]:
        """Say what the review did, a line each."""
        apart = f"{parts.apart} marked normal stayed out: images of their group calibrate or are held out"
        return [
            f"left: {_images(parts.anomalous, 'training image')} marked anomaly, copies included",
            f"not trained on: {_images(parts.unsure, 'training image')} marked unsure, copies included",
            f"joined training: {_images(parts.joined, 'image')} marked normal, not among the training images before",
            *([apart] if parts.apart else []),
        ]

    def record(self, images: ImageSet, parts: Parts) -> dict[str, object]:
        """What the new model remembers of the review, and of which pool it was."""
        pool = images.subset(np.flatnonzero(self._own(images)))
        facts = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "pool": len(pool),
            "fingerprint": fingerprint(pool),
            "anomalous": parts.anomalous,
            "unsure": parts.unsure,
            "joined": parts.joined,
        }
        return {"review": [one.to_json() for one in self.said], "reviewed": facts}

    def changed(self, images: ImageSet) -> list[str]:
        """Say that the pool is not the one that the old model was fitted on, where it is known not to be."""
        pool = images.subset(np.flatnonzero(self._own(images)))
        old = self.before.get("reviewed", self.before.get("data"))
        if not isinstance(old, Mapping) or old.get("fingerprint") == fingerprint(pool):
            return []
        then = old.get("pool", old.get("images"))
        return [f"{self.listing.root}: other images than the model was fitted on ({then} then, {len(pool)} now)"]

    def _own(self, images: ImageSet) -> NDArray[np.bool_]:
        """Which images are the pool's, (N,); files that could not be read are not among them."""
        joined = {self.listing.names[i] for i in range(self.pool, len(self.listing))}
        return np.array([images.name(i) not in joined for i in range(len(images))], bool)


def _images(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def prepare(
    layout: Layout,
    record: Mapping[str, object],
    review: str | Path | Review,
    normal: FileSource | None = None,
    reading: Reading | None = None,
    known: FileSource | None = None,
) -> Refit:
    """Read a review and find its files; what is not given is what the model's record remembers.

    Raises InputError for a review that cannot be used, and where nobody knows the training images.
    """
    marks = review if isinstance(review, Review) else read_review(review)
    given = Origin.of_record(record)
    how, source = reading or given.reading, given.normal if normal is None else normal
    if source is None:
        raise InputError(
            "the model does not remember where its training images are: give them, as normal= or --normal DIR"
        )
    if normal is None and not Path(str(source)).exists():
        raise InputError(
            f"'{source}', where the model remembers its training images, does not exist from here: give them, as "
            "normal= or --normal DIR"
        )
    listing = list_images(source, recursive=how.recursive, group_by=how.group_by).normal()
    files = locate(listing, marks)
    digests = digests_of(list(dict.fromkeys(files.values())), layout, how.on_bad)
    skipped = [path for path in marks.marks if files[path] not in digests]
    now = [Said(path, mark, digests[files[path]]) for path, mark in marks.marks.items() if files[path] in digests]
    said, copies = settle(now, Said.of_json(record.get("review")))
    normals = {one.path: is_file(one.path) for one in said if one.mark == "normal"}
    for name in listing.names if normals else ():
        normals.pop(name, None)
    gone, joining = ([path for path, there in normals.items() if there == wanted] for wanted in (False, True))
    lines = [
        *listing.describe(),
        *marks.notes,
        *copies,
        *(f"skipped '{path}' of the review, which cannot be read" for path in skipped),
        *(f"'{path}', which an earlier review marks normal, is no longer there and does not train" for path in gone),
    ]
    together = join_files(listing, joining, marks.where, how.group_by)
    anomalies = given.known if known is None else known
    origin = Origin.of(source, anomalies, how)
    return Refit(layout, origin, together, len(listing), said, files, anomalies, record, lines)
