import gzip
import os
import runpy
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from amiss.contracts import ImageSpec
from amiss.data.demo import load_demo

REAL = os.environ.get("AMISS_DATA")
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_demo_data.py"
FILES = [f"{split}-{kind}-ubyte.gz" for split in ("train", "test") for kind in ("images-idx3", "labels-idx1")]


def bundled():
    return Path(str(files("amiss.data") / "demo"))


@pytest.fixture(scope="module")
def demo():
    return load_demo()


def test_the_sizes_and_labels_are_the_promised_ones(demo):
    assert (len(demo.train), len(demo.test)) == (2400, 1000)
    assert demo.train.spec == demo.test.spec == ImageSpec(1, 28, 28)
    assert demo.classes[demo.normal] == "T-shirt/top"
    assert np.bincount(demo.test_classes).tolist() == [500] + [56] * 5 + [55] * 4
    assert np.array_equal(demo.test_labels, demo.test_classes != 0)
    assert (demo.train.name(0), demo.test.name(999)) == ("demo/train/00000", "demo/test/00999")


def test_no_test_image_equals_a_training_image(demo):
    train, test = (i.take(np.arange(len(i))).numpy() for i in (demo.train, demo.test))
    assert not {x.tobytes() for x in train} & {x.tobytes() for x in test}
    assert train.dtype == np.uint8
    assert train.std() > 50


def test_normal_and_anomalous_are_mixed_in_the_test_set(demo):
    half = demo.test_labels[:500].mean()
    assert 0.4 < half < 0.6


def test_the_folder_is_small_and_holds_the_licence_and_nothing_else():
    held = sorted(p.name for p in bundled().iterdir())
    assert held == sorted([*FILES, "LICENSE-fashion-mnist.txt"])
    assert sum(p.stat().st_size for p in bundled().iterdir()) <= 2_000_000
    licence = (bundled() / "LICENSE-fashion-mnist.txt").read_text()
    assert "MIT License" in licence
    assert "Copyright (c) 2017 Zalando SE" in licence


def test_the_script_writes_the_bundled_bytes(tmp_path):
    if not REAL or not (Path(REAL) / "fashion-mnist").is_dir():
        pytest.skip("AMISS_DATA names no folder with fashion-mnist")
    if not SCRIPT.is_file():
        pytest.skip("the scripts are not installed with the package")
    runpy.run_path(str(SCRIPT))["make"](Path(REAL), tmp_path)
    for name in FILES:
        ours, made = (bundled() / name).read_bytes(), (tmp_path / name).read_bytes()
        assert gzip.decompress(made) == gzip.decompress(ours)
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same values into other bytes
            assert made == ours
