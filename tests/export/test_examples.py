"""The examples decide as `amiss score` does, whatever the image file."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exporting import SPEC, fitted
from PIL import Image

from amiss.contracts import ImageSpec
from amiss.export.write import export_onnx
from amiss.methods.pca import PCA

pytestmark = pytest.mark.extra("export")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def images(tmp_path):
    """Files of every 8-bit mode, of several sizes, one turned by its EXIF data, one of the model's size."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    colours = Image.fromarray(noise, "RGBA").resize((60, 45), Image.Resampling.BICUBIC)
    for mode in ("L", "LA", "RGB", "RGBA", "P", "1"):
        colours.convert(mode).save(folder / f"{mode}.png")
    colours.convert("RGB").convert("P").save(folder / "clear.png", transparency=3)
    for mode in ("RGB", "CMYK", "L"):
        exif = Image.Exif()
        exif[0x0112] = 6  # turned by a quarter
        colours.convert(mode).save(folder / f"{mode}.jpg", exif=exif)
    colours.convert("L").resize((28, 28)).save(folder / "28.png")
    return folder


def rows(command: list[str | Path], images: list[Path]) -> list[dict[str, str]]:
    done = subprocess.run([*map(str, command), *map(str, images)], capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def require_alike(found: list[dict[str, str]], detector, images: list[Path]) -> None:
    wanted = detector.score(images)
    assert [row["image_path"] for row in found] == wanted.image_path == [str(path) for path in images]
    for name, kind in (("pred_score", float), ("p_value", float), ("pred_label", int)):
        values = np.array([kind(row[name]) for row in found])
        expected = getattr(wanted, name)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("channels", [1, 3])
def test_python_decides_alike(channels, images, tmp_path):
    detector = fitted(PCA(), ImageSpec(channels, 28, 28))
    export_onnx(detector, tmp_path / "m.onnx", images=images)
    paths = sorted(images.iterdir())
    found = rows([sys.executable, EXAMPLES / "score_onnx.py", tmp_path / "m.onnx"], paths)
    require_alike(found, detector, paths)
    assert len({row["pred_score"] for row in found}) > 5
    Image.fromarray(np.zeros((28, 28), np.uint16)).save(tmp_path / "deep.png")
    command = [sys.executable, EXAMPLES / "score_onnx.py", tmp_path / "m.onnx", tmp_path / "deep.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "deep.png has more than 8 bits" in done.stderr


def write_pngs(folder: Path, channels: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(6):
        pixels = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8) // (i + 1)
        Image.fromarray(pixels).save(folder / f"colour{i}.png")
        Image.fromarray(pixels[..., 0]).save(folder / f"grey{i}.png")
    return folder


@pytest.mark.parametrize("channels", [1, 3])
def test_javascript_decides_alike(channels, tmp_path):
    modules = os.environ.get("AMISS_NODE")
    if not modules or shutil.which("node") is None:
        pytest.skip("needs Node and its packages: make example-js")
    detector = fitted("gradcon", ImageSpec(channels, SPEC.height, SPEC.width))
    images = write_pngs(tmp_path / "png", channels)
    export_onnx(detector, tmp_path / "m.onnx", images=images)
    script = Path(modules, "score_onnx.mjs")  # Node looks for packages beside it
    shutil.copy(EXAMPLES / "score_onnx.mjs", script)
    paths = sorted(images.iterdir())
    require_alike(rows(["node", script, tmp_path / "m.onnx"], paths), detector, paths)
