"""Scores one shard with a model: the same on every machine, and the same as `Detector.score`."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amiss.artifact.file import from_bytes
from amiss.calibration.table import ScoreTable, concatenate, tabulate
from amiss.contracts import InputError, WorkError
from amiss.data.decode import Decoded, decode_opened, decode_with_kind
from amiss.data.images import DEPTHS, Images, Kind, Layout, Skipped
from amiss.data.opening import opened
from amiss.data.stream import Chunk, Stream, read_chunks
from amiss.detector import Detector
from amiss.engine.scoring import score_terms
from amiss.scale.shards import Encoded, How, Shard, Task, missing, require_text

KEY = b"amiss"
"""Key of a part's own record in its Parquet metadata."""


@dataclass(frozen=True)
class Part:
    """What came of a shard, beside its rows."""

    shard: int
    images: int
    """Rows."""
    anomalous: int
    """Rows with label 1."""
    skipped: list[Skipped] = field(default_factory=list)
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    """How many files were of which colour and depth."""

    def to_json(self) -> bytes:
        """Serialize for the metadata of a Parquet file."""
        kinds = [[kind.colour, kind.depth, count] for kind, count in self.kinds.items()]
        record = {"shard": self.shard, "images": self.images, "anomalous": self.anomalous}
        return json.dumps({**record, "skipped": self.skipped, "kinds": kinds}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Part:
        """Read what `to_json` made; raises ValueError for anything else."""
        try:
            record = json.loads(data)
            skipped = [Skipped(str(path), str(reason)) for path, reason in record["skipped"]]
            kinds = {Kind(bool(colour), DEPTHS[DEPTHS.index(depth)]): int(n) for colour, depth, n in record["kinds"]}
            return cls(int(record["shard"]), int(record["images"]), int(record["anomalous"]), skipped, kinds)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no record of a part: {error}") from error


@dataclass(frozen=True)
class Models:
    """Models by name, serialized until they are used; one that serves alone is named ''. The last one stays loaded."""

    fetch: Callable[[str], bytes]
    device: str = "cpu"
    loaded: dict[str, Detector] = field(default_factory=dict)

    def get(self, name: str) -> Detector:
        """Load a model, if it is not the one that is loaded."""
        if name not in self.loaded:
            self.loaded.clear()
            self.loaded[name] = Detector.of(from_bytes(self.fetch(name), name or "the model"), device=self.device)
        return self.loaded[name]


def score_task(task: Task, models: Models, how: How) -> bytes:
    """Score a shard into the bytes of a Parquet file, with its `Part` in the metadata.

    Raises InputError for an image that cannot be read, unless it is to be skipped, and WorkError where the shard's
    files are not on this machine.
    """
    detector = models.get(task.model)
    source = Stream(0, (), lambda: _chunks(task.shard, detector.layout, how))
    tables: list[ScoreTable] = []
    skipped: list[Skipped] = []
    kinds: Counter[Kind] = Counter()
    for table, chunk in detector.score_stream(source, terms=how.terms):
        tables.append(table)
        skipped += chunk.skipped
        kinds.update(chunk.kinds)
    filled = [table for table in tables if len(table)]
    table = concatenate(filled) if filled else _none(detector, how)
    if task.model:
        table = replace(table, model=[task.model] * len(table))
    anomalous = 0 if table.pred_label is None else int(table.pred_label.sum())
    return to_parquet(table, Part(task.number, len(table), anomalous, skipped, kinds))


def _none(detector: Detector, how: How) -> ScoreTable:
    """A table without rows, with every column."""
    scorer, spec = detector.artifact.scorer, detector.layout.spec
    empty = Images(np.empty((0, spec.channels, spec.height, spec.width), detector.layout.depth))
    return tabulate([], np.empty(0), detector.calibration, score_terms(scorer, empty) if how.terms else {})


def _chunks(shard: Shard, layout: Layout, how: How) -> Iterator[Chunk]:
    def read(image: Encoded) -> tuple[str, Decoded | str]:
        try:
            return require_text(image.name), _decode(image, layout)
        except InputError as error:
            if image.path and not os.path.lexists(image.path):
                raise WorkError(missing(image.path)) from error
            return image.name, str(error)

    return read_chunks(read, shard.images(), layout, on_bad=how.on_bad, workers=how.threads)


def _decode(image: Encoded, layout: Layout) -> Decoded:
    if image.problem:
        raise InputError(image.problem)
    if image.data is None:
        return decode_with_kind(image.path, layout)
    with opened(image.name, io.BytesIO(image.data)) as file:
        return decode_opened(file, image.name, layout)


def to_parquet(table: ScoreTable, part: Part) -> bytes:
    """Serialize rows and what is to be known of them."""
    import pyarrow
    import pyarrow.parquet

    def column(values: Sequence[str] | np.ndarray) -> object:
        return pyarrow.array(values) if isinstance(values, np.ndarray) else pyarrow.array(values, pyarrow.string())

    rows = pyarrow.table({name: column(values) for name, values in table.columns().items()})
    out = io.BytesIO()
    pyarrow.parquet.write_table(rows.replace_schema_metadata({KEY: part.to_json()}), out)
    return out.getvalue()


def part_of(file: bytes | Path) -> Part:
    """What a part's metadata say of it; raises ValueError or OSError for what is no whole part."""
    import pyarrow
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(file if isinstance(file, Path) else pyarrow.BufferReader(file))
    part = Part.from_json((metadata.metadata or {}).get(KEY, b""))
    if part.images != metadata.num_rows:
        raise ValueError(f"{metadata.num_rows} rows instead of {part.images}")
    return part
