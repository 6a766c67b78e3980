"""Photos, a model, and packed forms of the same photos, for the tests of scoring shard by shard."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_photos import png, smooth, write_photos

from amiss import Detector


@pytest.fixture(scope="session")
def detector() -> Detector:
    """A model with 19 calibration images."""
    return Detector("knn", fpr=0.05).fit(smooth(60, 0))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 40 images in two subfolders."""
    folder = tmp_path_factory.mktemp("scale") / "new"
    for i, image in enumerate(smooth(40, 1)):
        file = folder / ("a" if i < 25 else "b") / f"{i:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(image))
    return folder


@pytest.fixture
def packed(photos: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of every photo."""
    return [(path.name, path.read_bytes()) for path in sorted(photos.rglob("*.png"))]


Tarred = Callable[[Path, Sequence[tuple[str, bytes]]], Path]


@pytest.fixture(scope="session")
def tarred() -> Tarred:
    """Write members into a tar file."""

    def write(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
        with tarfile.open(path, "w") as archive:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with subfolders of normal images: bolts, nuts and screws."""
    folder = tmp_path / "parts"
    for seed, name in enumerate(["bolts", "nuts", "screws"]):
        write_photos(folder / name / "good", 50, seed)
    return folder
