"""`amiss fit --tile`: what a person sees of tiles, and what is refused."""

from __future__ import annotations

import numpy as np
from PIL import Image

from amiss.artifact.file import load
from amiss.transforms.tiles import Tiling


def test_a_tiled_fit_says_how_images_are_cut_and_scores_them(amiss, tmp_path):
    photos, model = tmp_path / "photos", tmp_path / "m.safetensors"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for i in range(44):
        Image.fromarray(rng.integers(0, 256, (20, 24), dtype=np.uint8)).save(photos / f"{i}.png")
    called = amiss("fit", photos, "-o", model, "--method", "pca", "--tile", "12", "--tile-pool", "2")
    assert called.code == 0
    assert "44 images in 264 tiles of 12 x 12 pixels" in called.out
    assert "3 or more shared by neighbours; an image's score is the mean of the 2 highest of its tiles" in called.out
    assert load(model).tiling == Tiling(12, 3, 2)
    scored = amiss("score", model, photos, "-q")
    assert (scored.code, len(scored.out.splitlines())) == (0, 45)
    attacked = amiss("evaluate", model, "--normal", photos, "--anomalous", photos, "--attack", "0.1")
    assert (attacked.code, "--attack is for models of whole images" in attacked.complaint) == (2, True)
    small = amiss("fit", photos, "-o", tmp_path / "n.safetensors", "--tile", "22")
    assert small.code == 2
    assert "0.png' has 20 x 24 pixels, which is smaller than a tile of 22 x 22" in small.complaint
