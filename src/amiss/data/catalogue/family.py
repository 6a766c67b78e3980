"""A set of several sets that are read one by one, such as the categories of MVTec AD."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from amiss.contracts import InputError, Progress
from amiss.data.catalogue.description import DataSet, FileState
from amiss.data.labelled import Pieces


@dataclass(frozen=True)
class Family(DataSet):
    """Sets under one name, which are got together and read by their own names."""

    parts: tuple[DataSet, ...] = field(default=())

    @property
    def members(self) -> tuple[DataSet, ...]:
        """The sets."""
        return self.parts

    @property
    def splits(self) -> tuple[str, ...]:
        """Those of its members."""
        return self.parts[0].splits

    @property
    def images(self) -> str:
        """Name the members."""
        return f"{len(self.parts)} sets that are read one by one: {', '.join(part.name for part in self.parts)}"

    def read(self, split: str, home: Path, size: int | None) -> Pieces:
        """Refuse, naming the members."""
        raise InputError(f"{self.name} is not read as a whole; accepted are {', '.join(p.name for p in self.parts)}")

    def check(self, home: Path) -> list[FileState]:
        """Check the members that are there; if none is, say so in one line."""
        there = [part for part in self.parts if part.state(home) != "absent"]
        if not there:
            return [FileState("all", home / self.name, "missing", "one of its sets", "")]
        return [state for part in there for state in part.check(home)]

    def fetch(self, home: Path, progress: Progress | None) -> list[Path]:
        """Get every member."""
        return [path for part in self.parts for path in part.fetch(home, progress)]

    def state(self, home: Path) -> str:
        """Count the members that are there."""
        there = sum(part.state(home) != "absent" for part in self.parts)
        return "absent" if not there else "present" if there == len(self.parts) else f"{there} of {len(self.parts)}"
