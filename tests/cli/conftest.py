"""Photos, a model and a way to call, for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector
from amiss.__main__ import main


@dataclass(frozen=True)
class Called:
    """What a call left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error of a call that failed."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("amiss: ")
        return lines[0].removeprefix("amiss: ")


Call = Callable[..., Called]


@pytest.fixture
def amiss(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process."""

    def call(*words: str | Path) -> Called:
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Called(code, *capsys.readouterr())

    return call


def make_photos(folder: Path, n: int, seed: int = 0) -> Path:
    """Write n smooth random images of 28 x 28."""
    coarse = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate((smooth[:, 0] * 255).byte().numpy()):
        Image.fromarray(image).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 60 normal images."""
    return make_photos(tmp_path_factory.mktemp("photos") / "good", 60)


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 images that the model has not seen, the last two anomalous."""
    folder = make_photos(tmp_path_factory.mktemp("new") / "new", 10, seed=1)
    noise = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
    for i, image in enumerate(noise):
        Image.fromarray(image).save(folder / f"noise{i}.png")
    return folder


@pytest.fixture(scope="session")
def model(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of the photos, with 19 calibration images."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Detector("knn", fpr=0.05).fit(photos).save(path)
    return path


@pytest.fixture(scope="session")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that cannot be read as images, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    whole = folder / "whole"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(whole, "PNG")
    contents = {
        "truncated": whole.read_bytes()[:2000],
        "empty": b"",
        "text": b"this is no image\n",
        "bomb": _huge_png(),
    }
    for name, content in contents.items():
        (folder / f"{name}.png").write_bytes(content)
    return {name: folder / f"{name}.png" for name in contents}


def _huge_png() -> bytes:
    """The header of a PNG of 60,000 x 60,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
