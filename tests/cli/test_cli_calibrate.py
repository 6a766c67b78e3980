"""`amiss calibrate`: other calibration scores, the same scorer, and nothing written where the call was wrong."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector, InputError
from amiss.artifact.file import load


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """40 new normal images."""
    folder = tmp_path_factory.mktemp("fresh")
    coarse = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(5))
    smooth = torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")
    for i, image in enumerate((smooth[:, 0] * 255).byte().numpy()):
        Image.fromarray(image).save(folder / f"{i:03}.png")
    return folder


def test_the_calibration_is_that_of_the_new_images_and_the_scorer_stays(amiss, model, fresh, tmp_path):
    out = tmp_path / "m.safetensors"
    called = amiss("calibrate", model, fresh, "-o", out)
    assert called.code == 0
    old, new = load(model), load(out)
    for before, after in zip(old.scorer.state_dict().values(), new.scorer.state_dict().values(), strict=True):
        assert torch.equal(before, after)
    scores = Detector.load(model).decision_function(fresh)
    np.testing.assert_array_equal(new.calibration_scores, np.sort(scores))
    assert (new.fpr, new.threshold, new.seed) == (0.05, None, old.seed)
    noted = new.record["recalibrated"]
    assert (noted["images"], noted["given"], noted["before"]) == (40, 40, 19)
    assert len(noted["fingerprint"]) == 64
    assert {key: new.record[key] for key in old.record} == old.record
    lines = called.out.splitlines()
    assert lines[0].split() == ["before", "after"]
    assert lines[1].split() == ["calibration", "images", "19", "40"]
    assert lines[4].split() == ["smallest", "possible", "fpr", "0.05", "0.0244"]
    after = Detector.load(out)
    assert lines[5].split() == ["threshold", f"{Detector.load(model).threshold_:.6g}", f"{after.threshold_:.6g}"]
    assert "promised from 40 calibration images" in lines[6]
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_another_rate_and_the_model_itself_replaced(amiss, model, fresh, tmp_path):
    out = shutil.copy(model, tmp_path / "m.safetensors")
    assert "exists: give --overwrite" in amiss("calibrate", out, fresh, "-o", out).complaint
    assert out.read_bytes() == model.read_bytes()
    assert amiss("calibrate", out, fresh, "-o", out, "--overwrite", "--fpr", "0.025", "-q").code == 0
    assert load(out).fpr == 0.025


def test_too_few_images_are_refused_with_the_number_needed_before_any_is_read(
    amiss, monkeypatch, model, fresh, tmp_path
):
    monkeypatch.setattr(Detector, "score_stream", lambda *_, **__: pytest.fail("images were read"))
    called = amiss("calibrate", model, fresh, "-o", tmp_path / "m.safetensors", "--fpr", "0.01")
    assert called.code == 2
    assert "fpr=0.01 needs 99 calibration images and there are 40, whose smallest rate is" in called.complaint
    assert list(tmp_path.iterdir()) == []


def test_copies_count_once_and_may_leave_too_few(amiss, model, fresh, tmp_path):
    folder = shutil.copytree(fresh, tmp_path / "in")
    shutil.copy(folder / "000.png", folder / "copy.png")
    called = amiss("calibrate", model, folder, "-o", tmp_path / "m.safetensors", "-q")
    assert "1 of 41 images are copies of others and do not count" in called.out
    assert len(load(tmp_path / "m.safetensors").calibration_scores) == 40
    for path in sorted(folder.iterdir())[1:]:
        shutil.copy(folder / "000.png", path)
    called = amiss("calibrate", model, folder, "-o", tmp_path / "n.safetensors", "-q")
    assert "needs 19 calibration images and there are 1" in called.complaint
    assert not (tmp_path / "n.safetensors").exists()


def test_images_that_trained_are_refused_by_name(amiss, model, photos, fresh, tmp_path):
    folder = shutil.copytree(fresh, tmp_path / "in")
    shutil.copy(next(p for p in photos.iterdir() if str(p) in load(model).thumbnail_names), folder / "seen.png")
    called = amiss("calibrate", model, folder, "-o", tmp_path / "m.safetensors", "-q")
    assert (
        called.complaint == f"{folder / 'seen.png'} equals an image that the model was trained on: calibrate on others"
    )


def test_the_very_images_of_the_fit_are_refused_even_without_thumbnails(photos):
    detector = Detector("knn", keep_images=False).fit(photos)
    before = detector.artifact
    with pytest.raises(InputError, match="these are the images that the model was fitted on"):
        detector.calibrate(photos)
    assert detector.artifact is before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{model}", "{tmp}/none"), "does not exist"),
        (("{fresh}/000.png", "{fresh}"), "is not a model"),
        (("{model}", "{bad}"), "cannot be"),
        (("{model}", "{fresh}", "--fpr", "2"), "fpr=2.0 is not a false-alarm rate"),
        (("{model}", "{fresh}", "--fpr", "none"), "--fpr 'none' is not accepted"),
        (("{model}", "{fresh}", "--device", "abacus"), "unknown device 'abacus'"),
        (("{model}",), "IMAGES is missing"),
    ],
)
def test_wrong_calls_are_one_sentence_and_write_nothing(amiss, model, fresh, bad, tmp_path, words, said):
    names = {"model": model, "fresh": fresh, "bad": tmp_path / "bad", "tmp": tmp_path}
    shutil.copytree(fresh, tmp_path / "bad")
    shutil.copy(bad["truncated"], tmp_path / "bad")
    out = tmp_path / "m.safetensors"
    called = amiss("calibrate", *(word.format(**names) for word in words), "-o", out, "-q")
    assert called.code == 2
    assert said in called.complaint or "truncated.png" in called.complaint
    assert not out.exists()


def test_bad_files_are_left_out_if_wanted(amiss, model, fresh, bad, tmp_path):
    folder = shutil.copytree(fresh, tmp_path / "in")
    shutil.copy(bad["truncated"], folder)
    out = tmp_path / "m.safetensors"
    assert amiss("calibrate", model, folder, "-o", out, "--on-bad", "skip", "-q").code == 0
    assert len(load(out).calibration_scores) == 40


def test_a_disk_that_is_full_replaces_nothing(amiss, monkeypatch, model, fresh, tmp_path):
    from amiss import WorkError, detector

    out = shutil.copy(model, tmp_path / "m.safetensors")

    def full(artifact, path):
        raise WorkError(f"could not write {path}: No space left on device; nothing was replaced")

    monkeypatch.setattr(detector, "save", full)
    called = amiss("calibrate", out, fresh, "-o", out, "--overwrite", "-q")
    assert (called.code, "nothing was replaced" in called.complaint) == (1, True)
    assert out.read_bytes() == model.read_bytes()


def test_in_python_from_an_array_and_for_every_kind_of_decision():
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (60, 30))
    detector = Detector("knn").fit(first).set_threshold(5.0)
    detector.calibrate(second)
    assert (detector.threshold_, detector.calibration.n) == (5.0, 30)
    detector.calibrate(second, fpr=0.1)
    assert (detector.fpr, detector.artifact.threshold) == (0.1, None)
    assert detector.p_value(second).min() == pytest.approx(2 / 31)
    scored = Detector("knn", fpr=None).fit(first).calibrate(second)
    assert scored.threshold_ is None
    assert scored.p_value(second[:3]).shape == (3,)
