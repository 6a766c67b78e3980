"""Tiled detectors: whole images are divided, scored, explained and kept; tiles are what the method sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector, InputError
from amiss.artifact.file import from_bytes, to_bytes
from amiss.data.images import Images
from amiss.data.reading import Reading
from amiss.data.store import open_store
from amiss.data.tiled import TiledImages
from amiss.engine.scoring import score_images
from amiss.transforms.tiles import Tiling, cut, stitch


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth colour picture (H, W, 3)."""
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (smooth[0] * 255).byte().permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of several sizes; every third has a copy."""
    made = tmp_path_factory.mktemp("photos")
    for i in range(60):
        image = Image.fromarray(picture(i, 20 + i % 7, 18 + 3 * (i % 5)))
        image.save(made / f"{i:02}.png")
        if i % 3 == 0:
            image.save(made / f"{i:02}_copy.png")
    return made


@pytest.fixture(scope="module")
def fitted(folder: Path) -> Detector:
    return Detector("pca", tile=12, tile_overlap=4, tile_pool=2, fpr=0.1).fit(folder)


def tile_scores(detector: Detector, image: np.ndarray) -> np.ndarray:
    """Oracle: scores of one image's tiles, each as an image of its own."""
    tiles = cut(np.moveaxis(image, 2, 0), detector.artifact.tiling)
    return np.array([score_images(detector.artifact.scorer, Images(tile[None]))[0] for tile in tiles])


def test_a_score_is_the_mean_of_the_highest_tile_scores(fitted: Detector, folder: Path) -> None:
    table = fitted.score(folder)
    for row in list(table)[::20]:
        scores = np.sort(tile_scores(fitted, np.asarray(Image.open(row.image_path))))
        assert len(scores) > 2
        np.testing.assert_allclose(row.pred_score, scores[-2:].mean(), rtol=1e-5)
    assert table.pred_score.std() > 0
    np.testing.assert_allclose(fitted.decision_scores_, table.pred_score, rtol=1e-5)


def test_whole_images_are_divided_and_their_scores_calibrate(fitted: Detector) -> None:
    images = fitted._images
    assert isinstance(images, TiledImages)
    parts = fitted.split(images)
    digests = [set(images.digests()[index].tolist()) for index in (parts.train, parts.calibration)]
    assert not digests[0] & digests[1]
    np.testing.assert_allclose(
        fitted.calibration.scores, np.sort(fitted.decision_scores_[parts.calibration]), rtol=1e-5
    )
    data = fitted.artifact.record["data"]
    assert (data["images"], data["distinct"], data["tiles"]) == (80, 60, int(images.counts.sum()))


def test_groups_stand_on_one_side() -> None:
    x = np.stack([picture(i, 20, 24) for i in range(60)])
    detector = Detector("knn", tile=12, fpr=0.1).fit(x, groups=np.repeat(np.arange(20), 3))
    images = detector._images
    parts = detector.split(images)
    assert not set(images.groups[parts.train]) & set(images.groups[parts.calibration])


def test_terms_are_those_of_the_tiles_that_make_the_score(folder: Path) -> None:
    pca = Detector("pca", tile=12, fpr=None).fit(folder)
    table = pca.score(folder, terms=True)
    np.testing.assert_allclose(table.terms["score"], table.pred_score, rtol=1e-6)


def test_maps_are_stitched_to_the_images_own_size(fitted: Detector, folder: Path) -> None:
    path = folder / "01.png"
    image = np.asarray(Image.open(path))
    found = fitted.explain(path)
    assert set(found.maps) == {"residual", "gradient", "tiles"}
    assert found["tiles"].shape == (1, *image.shape[:2])
    tiling = fitted.tiling
    scores = tile_scores(fitted, image).astype(np.float32)
    expected = stitch(np.tile(scores[:, None, None], (1, 12, 12)), image.shape[:2], tiling)
    np.testing.assert_allclose(found["tiles"][0], expected, rtol=1e-4)
    residual = stitch(
        np.concatenate(
            [_plain(fitted).explain(tile.transpose(1, 2, 0)[None], ["residual"])["residual"]
             for tile in cut(np.moveaxis(image, 2, 0), tiling)]
        ),
        image.shape[:2],
        tiling,
    )  # fmt: skip
    np.testing.assert_allclose(found["residual"][0], residual, rtol=1e-4, atol=1e-7)
    several = fitted.explain(folder, ["tiles"])
    assert [m.shape for m in several.maps["tiles"]][:2] == [(20, 18), (20, 18)]
    with pytest.raises(InputError, match=r"several sizes: take maps\['tiles'\]"):
        _ = several["tiles"]


def _plain(detector: Detector) -> Detector:
    """The same model for whole images that are tiles."""
    layout = replace(detector.layout, tiling=None)
    return Detector.of(replace(detector.artifact, layout=layout, thumbnails=None))


def test_a_saved_model_is_the_same_and_says_that_it_is_tiled(fitted: Detector, folder: Path, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.safetensors")
    loaded = Detector.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.decision_function(folder), fitted.decision_function(folder))
    assert loaded.artifact.tiling == loaded.tiling == Tiling(12, 4, 2)
    assert "tile=12, tile_overlap=4, tile_pool=2" in repr(loaded)
    assert to_bytes(from_bytes(to_bytes(fitted.artifact))) == to_bytes(fitted.artifact)


def test_only_tiled_models_need_the_new_format(fitted: Detector) -> None:
    def header(detector: Detector) -> dict[str, object]:
        data = to_bytes(detector.artifact)
        size = int.from_bytes(data[:8], "little")
        return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["amiss"])

    plain = Detector("pca").fit(np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8))
    assert (header(plain)["format"], header(plain)["layout"].keys()) == (1, {"spec", "depth"})
    assert header(fitted)["format"] == 2
    assert header(fitted)["layout"]["tiling"] == {"side": 12, "overlap": 4, "pool": 2, "size": None}


def test_nearest_recalibration_and_refit(fitted: Detector, folder: Path, tmp_path: Path) -> None:
    found = fitted.nearest(folder, 1)
    kept = set(fitted.artifact.thumbnail_names)
    table = fitted.score(folder)
    exact = [i for i, name in enumerate(table.image_path) if name in kept]
    assert (found.distance[exact, 0] < 0.01).all()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for i in range(30):
        Image.fromarray(picture(1000 + i, 22, 30)).save(fresh / f"{i}.png")
    detector = Detector.of(fitted.artifact)
    assert detector.calibrate(fresh).calibration.n == 30
    with pytest.raises(InputError, match=r"was trained on|was fitted on"):
        Detector.of(fitted.artifact).calibrate(folder)
    review = tmp_path / "r.csv"
    review.write_text(f"image_path,review\n{folder / '07.png'},anomaly\n")
    again = fitted.refit(review)
    assert again.artifact.record["data"]["images"] == 79
    assert again.artifact.tiling == fitted.tiling


def test_arrays_are_cut_without_a_copy_and_sizes_are_brought_when_asked() -> None:
    x = np.stack([picture(i, 24, 30) for i in range(60)])
    whole = Detector("knn", tile=12, fpr=0.1).fit(x)
    assert np.shares_memory(whole._images._tiles.pixels, x)
    small = Detector("knn", tile=12, size=16, fpr=0.1).fit(x)
    assert (small._images.counts == 4).all()
    assert small.explain(x[:2], ["tiles"])["tiles"].shape == (2, 16, 16)


def test_an_image_smaller_than_a_tile_is_refused_or_skipped_by_name(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.fromarray(picture(0, 8, 40)).save(tmp_path / "30_small.png")
    detector = Detector("knn", tile=12, fpr=0.1)
    with pytest.raises(InputError, match=r"30_small\.png' has 8 x 40 pixels, which is smaller than a tile of 12 x 12"):
        detector.fit(tmp_path)
    detector.fit(tmp_path, reading=Reading(on_bad="skip"))
    assert [Path(bad.path).name for bad in detector._images.skipped] == ["30_small.png"]
    with pytest.raises(InputError, match="30_small"):
        detector.score(tmp_path)
    assert len(detector.score(tmp_path, on_bad="skip")) == 80
    with pytest.raises(InputError, match="each image of the array has 8 x 40 pixels"):
        detector.score(picture(0, 8, 40)[None])


def test_a_killed_decode_goes_on_and_holds_the_same_images(folder: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int, detail: str) -> None:
        if what == "decoding" and done > 20:
            raise KeyboardInterrupt

    whole = Detector("knn", tile=12, fpr=0.1).fit(folder, workdir=tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        Detector("knn", tile=12, fpr=0.1).fit(folder, workdir=tmp_path / "b", progress=stop)
    with pytest.raises(InputError, match=r"tiling was .* and is now"):
        Detector("knn", tile=12, tile_pool=2, fpr=0.1).fit(folder, workdir=tmp_path / "b", resume=True)
    resumed = Detector("knn", tile=12, fpr=0.1).fit(folder, workdir=tmp_path / "b", resume=True)
    np.testing.assert_array_equal(resumed.decision_scores_, whole.decision_scores_)
    stored = open_store(tmp_path / "b" / "store")
    for i in (0, 30, 79):
        expected = np.moveaxis(np.asarray(Image.open(stored.name(i))), 2, 0)
        np.testing.assert_array_equal(stored.whole(i), expected)


def test_what_cannot_be_tiled_is_refused() -> None:
    with pytest.raises(InputError, match="most tiles of an anomalous image are normal"):
        Detector("ama_semi", tile=12).fit(np.zeros((60, 24, 24), np.uint8), known=np.ones((3, 24, 24), np.uint8))
    with pytest.raises(InputError, match="says nothing without tiles"):
        Detector("knn", tile_pool=2)
    detector = Detector("knn", tile=12)
    images = Images(np.random.default_rng(0).integers(0, 256, (60, 1, 12, 12), dtype=np.uint8))
    with pytest.raises(InputError, match="accepted are tiles of 12 x 12"):
        detector.fit_split(images, detector.split(images))
