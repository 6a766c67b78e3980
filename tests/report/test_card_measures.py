"""What a card measures, against the same measured by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector
from amiss.artifact.file import Artifact
from amiss.calibration.drift import drift
from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.engine.progress import silent
from amiss.evaluation.metrics import auroc
from amiss.methods.gradcon import GradCon
from amiss.report.card.asked import Asked
from amiss.report.card.content import LeftOut
from amiss.report.card.inputs import Scored, scored, training_images
from amiss.report.card.labelled import measure_labelled, measure_rivals
from amiss.report.card.stressed import measure_attack, measure_corruptions, measure_drift
from amiss.transforms.corruptions import corrupt


def smooth(n, seed, channels=1):
    coarse = torch.rand(n, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=20, mode="bilinear") * 255).byte().numpy()


def write(folder, images):
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folders of normal, anomalous and training images, and a model of the last."""
    root = tmp_path_factory.mktemp("card")
    write(root / "good", smooth(120, 0))
    write(root / "normal", smooth(90, 1))
    noisy = smooth(40, 2).astype(int) + np.random.default_rng(0).integers(-40, 40, (40, 1, 20, 20))
    write(root / "anomalous", noisy.clip(0, 255).astype(np.uint8))
    Detector("pca", random_state=3).fit(root / "good").save(root / "model.safetensors")
    return root


@pytest.fixture
def detector(place):
    return Detector.load(place / "model.safetensors")


def of(detector, folder):
    return scored(detector, folder, "images", "stop", silent)


def test_labelled_images_are_counted_and_ranked(place, detector):
    normal, anomalous = of(detector, place / "normal"), of(detector, place / "anomalous")
    found = measure_labelled(detector, normal, anomalous, silent)
    expected = [detector.predict(place / name) for name in ("normal", "anomalous")]
    assert (found.alarms.part, found.alarms.whole) == (expected[0].sum(), 90)
    assert (found.separation.detected.part, found.separation.detected.whole) == (expected[1].sum(), 40)
    pairs = normal.scores[:, None] < anomalous.scores
    assert found.separation.result.auroc == pytest.approx(pairs.mean())
    assert found.separation.aupr.low < found.separation.result.aupr_out < found.separation.aupr.high


def test_normal_images_alone_count_false_alarms(place, detector):
    found = measure_labelled(detector, of(detector, place / "normal"), None, silent)
    assert found.separation is None
    assert found.alarms.whole == 90


def test_baselines_are_those_of_a_fit_of_their_own(place, detector):
    """The same folder, seed and rate divide the images alike, so a plain fit is the same baseline."""
    normal, anomalous = of(detector, place / "normal"), of(detector, place / "anomalous")
    training = training_images(detector, None, place / "store", silent)
    (rival,) = measure_rivals(detector, normal, anomalous, training, silent)  # the model is PCA itself
    knn = Detector("knn", random_state=3).fit(place / "good")
    scores = [knn.decision_function(place / name) for name in ("normal", "anomalous")]
    labels = np.repeat([0, 1], [90, 40])
    own = np.concatenate([normal.scores, anomalous.scores])
    assert rival.auroc == pytest.approx(auroc(np.concatenate(scores), labels), abs=1e-12)
    assert rival.ahead == pytest.approx(auroc(own, labels) - rival.auroc, abs=1e-12)
    assert rival.difference.low <= rival.ahead <= rival.difference.high
    assert rival.detected.part == knn.predict(place / "anomalous").sum()


def test_training_images_are_divided_as_the_fit_divided_them(place, detector):
    images, parts = training_images(detector, None, place / "again", silent)
    scores = np.sort(detector.decision_function(images.take(parts.calibration)))
    np.testing.assert_allclose(scores, detector.calibration.scores, rtol=1e-6)


@pytest.mark.parametrize("method", ["pca", GradCon(epochs=1)], ids=["pca", "gradcon"])
def test_they_are_so_with_copies_and_after_another_decision(tmp_path, method):
    folder = write(tmp_path / "good", np.concatenate([smooth(60, 0)] * 2))
    made = Detector(method, fpr=0.1, random_state=1).fit(folder, check=False).set_threshold(0.0)
    made.save(tmp_path / "m.safetensors")
    loaded = Detector.load(tmp_path / "m.safetensors")
    images, parts = training_images(loaded, None, tmp_path / "store", silent)
    scores = np.sort(loaded.decision_function(images.take(parts.calibration)))
    np.testing.assert_allclose(scores, loaded.calibration.scores, rtol=1e-4, atol=1e-7)


def test_they_are_those_that_a_review_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good", smooth(80, 0))
    detector = Detector("pca", fpr=0.1).fit("good")
    marks = ["good/001.png,anomaly", "good/002.png,unsure", "good/003.png,unsure", "good/004.png,normal"]
    (tmp_path / "review.csv").write_text("\n".join(["image_path,review", *marks]) + "\n")
    detector.refit("review.csv").save("refit.safetensors")
    loaded = Detector.load("refit.safetensors")
    images, parts = training_images(loaded, None, tmp_path / "store", silent)
    assert len(images) == loaded.artifact.record["data"]["images"] < 80
    scores = np.sort(loaded.decision_function(images.take(parts.calibration)))
    np.testing.assert_allclose(scores, loaded.calibration.scores, rtol=1e-6)


def test_a_fit_of_an_array_still_holds_its_images(place):
    detector = Detector("pca").fit(smooth(60, 5))
    images, parts = training_images(detector, None, place / "unused", silent)
    assert len(images) == 60
    assert len(parts.calibration) == detector.calibration.n
    loaded = Detector.of(detector.artifact)
    with pytest.raises(InputError, match="does not remember where its training images are: give them, as --train DIR"):
        training_images(loaded, None, place / "unused", silent)


@pytest.mark.parametrize("change", ["one pixel", "one more", "one less", "nearly all gone"])
def test_training_images_that_have_changed_are_refused(place, tmp_path, change):
    folder = tmp_path / "good"
    shutil.copytree(place / "good", folder)
    detector = Detector("pca", random_state=3).fit(folder)
    if change == "one pixel":
        pixels = np.asarray(Image.open(folder / "000.png")).copy()
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(folder / "000.png")
    elif change == "one more":
        Image.fromarray(smooth(1, 9)[0, 0]).save(folder / "new.png")
    else:
        for path in sorted(folder.iterdir())[: 1 if change == "one less" else 118]:
            path.unlink()
    loaded = Detector.of(detector.artifact)
    with pytest.raises(InputError, match=r"of '.*good' are not those that the model was fitted on \(120 then, \d+ now"):
        training_images(loaded, None, tmp_path / "store", silent)


def test_training_images_that_moved_are_asked_for(place, tmp_path, detector):
    record = dict(detector.artifact.record)
    record["given"] = {**record["given"], "normal": str(tmp_path / "gone")}
    moved = Detector.of(replace(detector.artifact, record=record))
    with pytest.raises(InputError, match=r"'.*gone', where the model remembers .* give them, as --train DIR"):
        training_images(moved, None, tmp_path / "store", silent)
    images, _ = training_images(moved, place / "good", tmp_path / "store", silent)
    assert len(images) == 120


def test_a_model_that_remembers_nothing_is_refused(place, tmp_path, detector):
    old = Detector.of(replace(detector.artifact, record={}))
    with pytest.raises(InputError, match="does not remember which images it was fitted on"):
        training_images(old, place / "good", tmp_path / "store", silent)


def test_conditions_are_those_of_the_images_whatever_the_batches(place, detector):
    normal = of(detector, place / "normal")  # 90 images, more than a batch
    found = measure_corruptions(detector, normal.images, "those of --normal", silent)
    assert found.n == 90
    assert "decolorization" not in found.conditions
    assert found.left_out
    x = normal.images.take(np.arange(90)).float() / 255
    scorer, calibration = detector.artifact.scorer, detector.calibration
    clean = scorer(x).double().numpy()
    for name in ("rain", "haze", "exposure"):
        for level in (1, 5):
            scores = scorer(corrupt(x, name, level, seed=3)).double().numpy()
            one = found.conditions[name][level - 1]
            assert one.above.part == (scores > detector.threshold_).sum()
            moved = calibration.normal_percentile(scores) - calibration.normal_percentile(clean)
            assert one.shift == pytest.approx(np.median(moved))
    assert found.clean.above.part == detector.predict(place / "normal").sum()
    assert found.clean.shift == 0


def test_conditions_of_colour_images_take_their_colour_too():
    images = smooth(60, 0, channels=3).transpose(0, 2, 3, 1)
    detector = Detector("pca", size=20).fit(images)
    found = measure_corruptions(detector, Images(smooth(20, 1, channels=3)), "new", silent)
    assert len(found.conditions) == 8
    assert found.left_out == ()


def test_conditions_need_images_of_some_size():
    images = smooth(60, 0)[:, 0, ::2, ::2]
    found = measure_corruptions(Detector("pca", size=10).fit(images), Images(images[:, None]), "new", silent)
    assert isinstance(found, LeftOut)
    assert "16 pixels" in found.reason


def test_attacks_begin_with_the_clean_figure(place, detector):
    normal, anomalous = of(detector, place / "normal"), of(detector, place / "anomalous")
    rows = measure_attack(detector, normal, anomalous, (0.05, 0.01), silent)
    assert [row.eps for row in rows] == [0, 0.01, 0.05]
    own = np.concatenate([normal.scores, anomalous.scores])
    assert rows[0].auroc == pytest.approx(auroc(own, np.repeat([0, 1], [90, 40])))
    assert rows[0].auroc >= rows[1].auroc >= rows[2].auroc


class _Rough(torch.nn.Module):
    differentiable = False


def test_a_score_without_a_gradient_is_said_to_have_none(place, detector):
    normal, anomalous = of(detector, place / "normal"), of(detector, place / "anomalous")
    artifact: Artifact = replace(detector.artifact, scorer=_Rough())
    found = measure_attack(Detector.of(artifact), normal, anomalous, (0.1,), silent)
    assert isinstance(found, LeftOut)
    assert found.reason.startswith("pca is not differentiable")


def test_drift_is_the_test_of_the_scores(place, detector):
    for folder, changed in (("normal", False), ("anomalous", True)):
        recent = of(detector, place / folder)
        found = measure_drift(detector, recent)
        assert found.test == drift(detector.calibration.scores, recent.scores, seed=3)
        assert (found.test.p_value < 0.01) == changed
        assert found.above.part == detector.predict(place / folder).sum()


def test_images_that_cannot_be_read_stop_or_are_left_out(place, tmp_path, detector):
    folder = tmp_path / "some"
    shutil.copytree(place / "normal", folder)
    (folder / "000.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"000\.png"):
        of(detector, folder)
    assert len(scored(detector, folder, "images", "skip", silent).scores) == 89
    only = tmp_path / "bad"
    only.mkdir()
    (only / "a.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"none of the normal images could be read: .*a\.png"):
        scored(detector, only, "normal images", "skip", silent)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"anomalous": "a"}, "--anomalous needs normal images beside them: give --normal too"),
        ({"compare": True}, "--compare measures on labelled images: give --normal and --anomalous"),
        ({"normal": "n", "attack": (0.1,)}, "--attack measures on labelled images: give --normal and --anomalous"),
        ({"normal": "n", "anomalous": "a", "attack": (1.5,)}, "eps"),
        ({"train": "t"}, "nothing needs them: give --compare"),
    ],
)
def test_what_cannot_be_measured_is_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        Asked(**given)


@pytest.mark.parametrize(("given", "option"), [({"drift": "d"}, "--drift"), ({"corruptions": True}, "--corruptions")])
def test_without_calibration_images_nothing_is_compared_with_them(given, option):
    detector = Detector("pca", fpr=None).fit(smooth(20, 0))
    with pytest.raises(InputError, match=f"{option} compares with calibration images"):
        Asked(**given).check(detector.calibration)


def test_scores_without_a_decision_are_measured_all_the_same(place):
    detector = Detector("pca", fpr=None).fit(smooth(40, 0))
    found = measure_labelled(detector, of(detector, place / "normal"), of(detector, place / "anomalous"), silent)
    assert found.alarms is None
    assert found.separation.detected is None
    assert found.separation.result.auroc > 0.5


def test_the_attack_of_a_blind_score_is_left_out(place, detector):
    """A network that gives every image one score has no gradient; the card says so in place of failing."""

    class Blind(torch.nn.Module):
        differentiable = True

        def forward(self, x):
            return torch.ones(len(x))

    blind = Detector.of(replace(detector.artifact, scorer=Blind()))
    some = Scored(Images(smooth(4, 0)), np.ones(4))
    found = measure_attack(blind, some, some, (0.1,), silent)
    assert isinstance(found, LeftOut)
    assert "does not depend on the image" in found.reason
