"""`amiss evaluate`: its numbers are the metrics of the detector's scores, and it says which images they are of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from amiss import Detector


@pytest.fixture(scope="module")
def labelled(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten normal and two anomalous images in good/ and noisy/."""
    root = tmp_path_factory.mktemp("labelled")
    for path in new.iterdir():
        folder = root / ("noisy" if path.name.startswith("noise") else "good")
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
    shutil.copy(new / "003.png", root / "noisy" / "normal-looking.png")
    return root


def test_two_folders_are_measured(amiss, model, labelled, tmp_path):
    out = tmp_path / "result.json"
    words = ("--normal", labelled / "good", "--anomalous", labelled / "noisy", "-o", out, "-q")
    called = amiss("evaluate", model, *words)
    assert called.code == 0
    detector = Detector.load(model)
    scores = [detector.decision_function(labelled / name) for name in ("good", "noisy")]
    labels = np.repeat([0, 1], [10, 3])
    auroc = roc_auc_score(labels, np.concatenate(scores))
    assert 0.5 < auroc < 1
    lines = called.out.splitlines()
    assert lines[0] == "10 normal and 3 anomalous images"
    assert lines[1].split()[:2] == ["AUROC", f"{auroc:.4f}"]
    alarms, found = (int((s > detector.threshold_).sum()) for s in scores)
    assert f"false alarms: {alarms} of 10 normal images" in called.out
    assert f"detected: {found} of 3 anomalous images" in called.out
    result = json.loads(out.read_text())
    assert result["image_AUROC"] == pytest.approx(auroc, rel=1e-12)
    assert (result["normal"], result["anomalous"], result["method"]) == (10, 3, "knn")
    assert (result["fpr"], result["threshold"]) == (0.05, detector.threshold_)
    assert result["detection_rate"] == found / 3
    assert result["marked"] is False


def test_one_folder_with_both_says_which_is_which_and_measures_the_same(amiss, model, labelled):
    two = amiss("evaluate", model, "--normal", labelled / "good", "--anomalous", labelled / "noisy")
    one = amiss("evaluate", model, labelled)
    assert one.out == two.out
    assert f"{labelled / 'good'}: 10 images, normal" in one.err
    assert f"{labelled / 'noisy'}: 3 images, anomalous" in one.err


def test_of_images_set_apart_for_testing_no_others_are_measured(amiss, model, labelled, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "train" / "good")
    shutil.copytree(labelled, tmp_path / "test")
    alone = amiss("evaluate", model, labelled)
    assert amiss("evaluate", model, tmp_path).out == alone.out


def test_a_table_with_labels_is_measured(amiss, model, labelled, tmp_path):
    rows = [f"{path},{int(path.parent.name == 'noisy')}" for path in sorted(labelled.rglob("*.png"))]
    table = tmp_path / "labelled.csv"
    table.write_text("\n".join(["image_path,label", *rows]))
    assert amiss("evaluate", model, table).out == amiss("evaluate", model, labelled).out


def test_every_part_of_a_score_is_measured_alone(amiss, photos, labelled, tmp_path):
    path = tmp_path / "m.safetensors"
    amiss("fit", photos, "-o", path, "--method.epochs", "1", "--fpr", "none", "-q")
    called = amiss("evaluate", path, labelled)
    table = Detector.load(path).score(labelled / "good", terms=True)
    other = Detector.load(path).score(labelled / "noisy", terms=True)
    shown = {line.split()[0]: line.split()[1] for line in called.out.splitlines()}
    for name in ("recon", "grad", "grad.4"):
        auroc = roc_auc_score(np.repeat([0, 1], [10, 3]), np.concatenate([table.terms[name], other.terms[name]]))
        assert shown[name] == f"{auroc:.4f}"
    assert "no threshold" in called.out
    assert "false alarms:" not in called.out


def test_the_decision_can_be_made_anew(amiss, model, labelled):
    assert "false alarms: 10 of 10 normal images (100 %)" in amiss("evaluate", model, labelled, "--threshold", "-1").out
    assert "at most 50 % false alarms" in amiss("evaluate", model, labelled, "--fpr", "0.5").out


def test_bad_files_stop_or_are_skipped(amiss, model, labelled, bad, tmp_path):
    folder = shutil.copytree(labelled, tmp_path / "in")
    shutil.copy(bad["text"], folder / "good" / "zz.png")
    stopped = amiss("evaluate", model, folder, "-q")
    assert stopped.code == 2
    assert str(folder / "good" / "zz.png") in stopped.err.splitlines()[-1]
    skipped = amiss("evaluate", model, folder, "--on-bad", "skip")
    assert skipped.out == amiss("evaluate", model, labelled).out
    assert str(folder / "good" / "zz.png") in skipped.err


def test_wrong_calls_are_refused(amiss, model, labelled, photos, tmp_path):
    taken = tmp_path / "taken.json"
    taken.write_text("old")
    for words, said in [
        ((), "give --normal and --anomalous, or one folder"),
        ((labelled, "--normal", photos), "give --normal and --anomalous, or one folder"),
        (("--anomalous", photos), "give --normal and --anomalous, or one folder"),
        ((labelled, "-o", taken), f"{taken} exists"),
        ((labelled, "-o", tmp_path / "no" / "r.json"), "there is no folder"),
        ((labelled, "--fpr", "0.001"), "fpr=0.001 needs 999 calibration images"),
        ((tmp_path / "gone",), "does not exist"),
    ]:
        called = amiss("evaluate", model, *words)
        assert (called.code, called.out) == (2, "")
        assert said in called.complaint
    called = amiss("evaluate", model, photos)
    assert called.err.splitlines()[-1].startswith(f"amiss: {photos} lists no anomalous images")
    assert taken.read_text() == "old"


def test_attacked_normal_images_lower_the_auroc(amiss, model, labelled, tmp_path):
    out = tmp_path / "result.json"
    words = ("--normal", labelled / "good", "--anomalous", labelled / "noisy", "-o", out, "-q")
    called = amiss("evaluate", model, *words, "--attack", "0,0.02,0.4")
    assert called.code == 0
    result = json.loads(out.read_text())
    clean, near, far = result["attacked"]
    assert [row["eps"] for row in result["attacked"]] == [0, 0.02, 0.4]
    assert clean["auroc"] == result["image_AUROC"]
    assert clean["raised"] == 0 < near["raised"] < far["raised"]
    assert far["auroc"] < near["auroc"] <= clean["auroc"]
    assert f"AUROC with normal images attacked within 0.4: {far['auroc']:.4f}" in called.out
    assert result["marked"] is False


def test_a_part_of_the_score_is_attacked_by_name(amiss, model, labelled):
    words = ("--normal", labelled / "good", "--anomalous", labelled / "noisy", "-q")
    called = amiss("evaluate", model, *words, "--attack", "0.1", "--attack-term", "score")
    assert "AUROC of score with normal images attacked within 0.1" in called.out
    wrong = amiss("evaluate", model, *words, "--attack", "0.1", "--attack-term", "grad")
    assert (wrong.code, wrong.complaint) == (2, "KNNScorer has no term 'grad': choose from score")
    alone = amiss("evaluate", model, *words, "--attack-term", "score")
    assert (alone.code, alone.complaint) == (2, "--attack-term names what is attacked: give --attack EPS too")
    high = amiss("evaluate", model, *words, "--attack", "1.5")
    assert high.code == 2
    assert "eps" in high.complaint
    bad = amiss("evaluate", model, *words, "--attack", "far")
    wanted = "give numbers from 0 to 1 with commas, such as 0.05,0.1"
    assert (bad.code, bad.complaint) == (2, f"--attack 'far' is not accepted: {wanted}")
