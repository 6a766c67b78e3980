"""Nearest images: those of scikit-learn, through thumbnails and model files, and not at all where nobody wants that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.neighbors import NearestNeighbors

import amiss.artifact.file as module
from amiss import Detector, InputError
from amiss.artifact.file import from_bytes, to_bytes
from amiss.contracts import ImageSpec
from amiss.data.images import Images
from amiss.explain import nearest as explained
from amiss.explain.nearest import nearest, shrink, thumbnails
from amiss.testing.samples import discs

RNG = np.random.default_rng(0)
DISCS = discs(RNG, 300, ImageSpec(1, 16, 16))


@pytest.mark.parametrize("chunk", [7, 1024])
def test_they_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(explained, "CHUNK", chunk)
    reference = Images(DISCS[:200], names=[f"disc-{i}" for i in range(200)])
    x = torch.from_numpy(DISCS[195:210]).double() / 255
    found = nearest(x.float(), reference, 4)
    flat = DISCS.reshape(300, -1).astype(np.float32) / np.float32(255)
    distance, index = NearestNeighbors(n_neighbors=4).fit(flat[:200]).kneighbors(flat[195:210])
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_allclose(found.distance, distance / 16, rtol=1e-5, atol=1e-7)
    assert found.distance[:5, 0].tolist() == [0] * 5  # of a copy, exactly
    assert found.distance[5:].min() > 0
    assert found.names[0, 0] == "disc-195"
    assert found.names.shape == (15, 4)


def test_fewer_references_than_k_are_all_returned_and_none_are_refused() -> None:
    x = torch.from_numpy(DISCS[:2]).float() / 255
    assert nearest(x, Images(DISCS[:3]), 9).index.shape == (2, 3)
    assert nearest(x[:0], Images(DISCS[:3]), 2).index.shape == (0, 2)
    for k, n in ((0, 3), (3, 0)):
        with pytest.raises(InputError, match=f"k={k} nearest of {n} images"):
            nearest(x, Images(DISCS[:n]), k)
    with pytest.raises(InputError, match="256 values cannot be compared with those of 768"):
        nearest(x, Images(np.zeros((3, 3, 16, 16), np.uint8)), 1)


def test_thumbnails_are_few_small_and_spread_over_the_images() -> None:
    many = Images(np.broadcast_to(np.arange(1000, dtype=np.uint16)[:, None, None, None] * 64, (1000, 1, 80, 100)))
    made = thumbnails(many)
    assert made.pixels.shape == (256, 1, 64, 64)
    assert made.pixels.dtype == np.uint8
    assert (made.names[0], made.names[-1], len(set(made.names))) == ("0", "999", 256)
    expected = np.rint(np.array([int(name) for name in made.names]) * 64 / 65535 * 255)
    np.testing.assert_array_equal(made.pixels[:, 0, 0, 0], expected)
    assert shrink(torch.rand(2, 3, 20, 100)).shape == (2, 3, 20, 64)
    np.testing.assert_array_equal(thumbnails(Images(DISCS[:9])).pixels, DISCS[:9])  # small ones stay as they are


@pytest.fixture(scope="module")
def fitted() -> Detector:
    return Detector("pca", size=16).fit(DISCS)


def test_a_model_file_knows_its_nearest_training_images(fitted: Detector, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.safetensors")
    again = Detector.load(tmp_path / "m.safetensors")
    found = again.nearest(DISCS, k=2)
    kept = again.artifact
    assert kept.thumbnails is not None
    assert kept.thumbnails.shape == (240, 1, 16, 16)  # 20 % are kept for calibration, and are not shown
    for i in range(300):
        copy = found.distance[i, 0] == 0
        assert copy == (str(i) in kept.thumbnail_names)
        assert not copy or found.names[i, 0] == str(i)
        assert not copy or np.array_equal(kept.thumbnails[found.index[i, 0]], DISCS[i])
    assert to_bytes(again.artifact) == to_bytes(fitted.artifact)


def test_without_thumbnails_the_file_holds_no_image_and_says_so(fitted: Detector) -> None:
    private = Detector("pca", size=16, keep_images=False).fit(DISCS)
    data = to_bytes(private.artifact)
    assert "thumbnails" not in safetensors.torch.load(data)
    assert "thumbnails" not in private.artifact.record
    assert len(to_bytes(fitted.artifact)) > len(data) + 240 * 256
    old = Detector.of(from_bytes(data))  # a file written before there were thumbnails looks the same
    np.testing.assert_array_equal(old.decision_function(DISCS), fitted.decision_function(DISCS))
    with pytest.raises(InputError, match="keeps no training images: fit it with keep_images=True"):
        old.nearest(DISCS)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(240, 1, 16, 16),
        torch.zeros(239, 1, 16, 16, dtype=torch.uint8),
        torch.zeros(240, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(240, 1, 17, 16, dtype=torch.uint8),
        torch.zeros(240, 1, 16, 0, dtype=torch.uint8),
        torch.zeros(240, dtype=torch.uint8),
    ],
    ids=lambda wrong: f"{tuple(wrong.shape)} {wrong.dtype}",
)
def test_thumbnails_that_fit_nothing_are_refused(fitted: Detector, wrong: torch.Tensor) -> None:
    data = to_bytes(fitted.artifact)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["amiss"])
    tensors = {**safetensors.torch.load(data), "thumbnails": wrong}
    header["sha256"] = module._digest(tensors, header)
    with pytest.raises(InputError, match=r"m cannot be rebuilt .* 240 names for thumbnails of shape"):
        from_bytes(safetensors.torch.save(tensors, {"amiss": json.dumps(header)}), "m")
