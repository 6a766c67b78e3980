"""`amiss fit`: what it writes, what it keeps when it is interrupted, and that a wrong call leaves nothing behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector, WorkError, detector
from amiss.artifact.file import load
from amiss.cli.unfinished import Unfinished
from amiss.engine.progress import Reporter
from amiss.methods.gradcon import GradCon

QUICK = ("--method.epochs", "3", "--method.batch-size", "16")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def interrupt(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Press Ctrl-C when the progress of something reaches its second epoch, or at once."""

    def press(reporter: Reporter, what: str, done: int, total: int, detail: str) -> None:
        if what.startswith(when) and (not detail or detail.startswith("epoch 2")):
            raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "__call__", press)


def equal(a: Path, b: Path) -> bool:
    x, y = load(a), load(b)
    pairs = zip(x.scorer.state_dict().values(), y.scorer.state_dict().values(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs) and np.array_equal(x.calibration_scores, y.calibration_scores)


def test_a_fit_leaves_the_model_alone_and_says_what_it_did(amiss, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    called = amiss("fit", photos, "-o", out, *QUICK)
    assert called.code == 0
    assert files(tmp_path) == ["m.safetensors"]
    assert f"{photos}: 60 images, normal" in called.err
    artifact = load(out)
    assert artifact.method == GradCon(epochs=3, batch_size=16)
    lines = called.out.splitlines()
    assert lines[0] == "60 images of 28 x 28 pixels, grey, 8-bit: trained on 37, chose the epoch on 4, calibrated on 19"
    assert lines[1].startswith(f"threshold {Detector.load(out).threshold_:.6g}: at most 5 % false alarms")
    assert "19 calibration images" in lines[1]
    assert str(out) in lines[2]
    assert lines[3] == f"score new images with: amiss score {out} IMAGES -o scores.csv"


def test_the_model_is_the_detector_of_the_same_settings(amiss, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    words = ("--fpr", "0.1", "--random-state", "3", "--size", "16", "--method", "cae", "-q")
    assert amiss("fit", photos, "-o", out, *QUICK, *words).err == ""
    same = Detector(GradCon(alpha=0.0, epochs=3, batch_size=16), fpr=0.1, random_state=3, size=16).fit(photos)
    same.save(tmp_path / "same.safetensors")
    assert equal(out, tmp_path / "same.safetensors")
    assert (load(out).fpr, load(out).seed) == (0.1, 3)


def test_scores_alone_and_another_suffix(amiss, photos, tmp_path):
    called = amiss("fit", photos, "-o", tmp_path / "m.bin", "--method", "knn", "--fpr", "none")
    assert called.code == 0
    assert "no threshold (fpr none)" in called.out
    assert f"{tmp_path / 'm.bin'} will be a safetensors file" in called.err
    assert load(tmp_path / "m.bin").fpr is None


def test_an_interrupted_fit_is_kept_and_goes_on_to_the_same_model(amiss, monkeypatch, photos, tmp_path):
    straight, out = tmp_path / "straight.safetensors", tmp_path / "m.safetensors"
    amiss("fit", photos, "-o", straight, *QUICK)
    with monkeypatch.context() as patch:
        interrupt(patch, "training")
        called = amiss("fit", photos, "-o", out, *QUICK)
    assert called.code == 130
    kept = tmp_path / "m.safetensors.fit"
    assert called.err.splitlines()[-1] == (
        f"amiss: interrupted: {kept} keeps what was done; the same call with --resume goes on"
    )
    assert not out.exists()
    held = f"{kept} holds an unfinished fit: give --resume to go on with it, or --overwrite to start anew"
    assert amiss("fit", photos, "-o", out, *QUICK).complaint == held
    changed = amiss("fit", photos, "-o", out, *QUICK, "--random-state", "1", "--resume")
    assert changed.code == 2
    assert f"cannot resume {kept}: random state was 0 and is now 1" in changed.complaint
    changed = amiss("fit", photos, "-o", out, *QUICK, "--method.alpha", "0.5", "--resume")
    assert f"cannot resume {kept}: method.alpha was 0.03 and is now 0.5" in changed.complaint
    assert amiss("fit", photos, "-o", out, *QUICK, "--resume").code == 0
    assert files(tmp_path) == ["m.safetensors", "straight.safetensors"]
    assert equal(out, straight)
    log = load(out).record["log"]
    assert [entry["epochs_kept"] for entry in log if entry["event"] == "resume"] == [1]
    assert [entry["epoch"] for entry in log if entry["event"] == "epoch"] == [1, 2, 3]


def test_an_interruption_before_anything_was_done_leaves_nothing(amiss, monkeypatch, photos, tmp_path):
    monkeypatch.setattr(detector, "read_images", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"old")
    called = amiss("fit", photos, "-o", out, "--overwrite")
    assert (called.code, called.complaint) == (130, "interrupted")
    assert files(tmp_path) == ["m.safetensors"]


def test_resume_starts_where_there_is_nothing_and_says_so_where_all_is_done(amiss, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    assert amiss("fit", photos, "-o", out, "--method", "knn", "--resume").code == 0
    written = out.read_bytes()
    (tmp_path / "m.safetensors.fit" / "store").mkdir(parents=True)  # of a process killed while it tidied up
    (tmp_path / ".m.safetensors.123.part").write_bytes(b"half")
    called = amiss("fit", photos, "-o", out, "--method", "knn", "--resume")
    assert called.code == 0
    assert called.out.startswith(f"{out} is finished already")
    assert files(tmp_path) == ["m.safetensors"]
    assert out.read_bytes() == written


def test_resume_takes_nothing_but_a_model_for_finished(amiss, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"something else")
    called = amiss("fit", photos, "-o", out, "--resume")
    assert called.code == 2
    assert f"{out} is not a model" in called.complaint
    assert out.read_bytes() == b"something else"


def test_the_old_model_stays_until_the_new_one_is_written(amiss, monkeypatch, photos, model, tmp_path):
    out = tmp_path / "m.safetensors"
    shutil.copy(model, out)
    with monkeypatch.context() as patch:
        interrupt(patch, "training")
        assert amiss("fit", photos, "-o", out, *QUICK, "--overwrite").code == 130
    assert out.read_bytes() == model.read_bytes()
    called = amiss("fit", photos, "-o", out, *QUICK, "--resume")
    assert called.code == 0
    assert "finished already" not in called.out
    assert isinstance(load(out).method, GradCon)
    assert files(tmp_path) == ["m.safetensors"]


def test_overwrite_discards_an_unfinished_fit(amiss, monkeypatch, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt(patch, "training")
        amiss("fit", photos, "-o", out, *QUICK)
    assert amiss("fit", photos, "-o", out, "--method", "knn", "--overwrite").code == 0
    assert load(out).method.__class__.__name__ == "KNN"
    assert files(tmp_path) == ["m.safetensors"]


def test_a_model_that_cannot_be_written_keeps_what_was_done(amiss, monkeypatch, photos, tmp_path):
    out = tmp_path / "m.safetensors"

    def full(artifact: object, path: Path) -> None:
        raise WorkError(f"could not write {path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(detector, "save", full)
        called = amiss("fit", photos, "-o", out, *QUICK, "-q")
    assert called.code == 1
    kept = tmp_path / "m.safetensors.fit"
    assert called.complaint == (
        f"could not write {out}: No space left on device ({kept} keeps what was done, for --resume)"
    )
    assert amiss("fit", photos, "-o", out, *QUICK, "--resume").code == 0
    log = load(out).record["log"]
    assert [entry["epochs_kept"] for entry in log if entry["event"] == "resume"] == [3]


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "bomb"])
def test_a_bad_file_among_good_ones_is_named_and_nothing_is_left(amiss, photos, bad, kind, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "in" / "good")
    shutil.copy(bad[kind], folder / "030.png")
    (tmp_path / "out").mkdir()
    called = amiss("fit", folder, "-o", tmp_path / "out" / "m.safetensors", "--method", "knn")
    assert called.code == 2
    assert str(folder / "030.png") in called.complaint
    assert "--on-bad skip" in called.complaint
    assert files(tmp_path / "out") == []


def test_bad_files_are_skipped_if_wanted_and_listed_in_the_result(amiss, photos, bad, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "in" / "good")
    for i, path in enumerate(bad.values()):
        shutil.copy(path, folder / f"{10 * i:03}.png")
    out = tmp_path / "m.safetensors"
    called = amiss("fit", folder, "-o", out, "--method", "knn", "--on-bad", "skip")
    assert called.code == 0
    names = [str(folder / f"{10 * i:03}.png") for i in range(len(bad))]
    assert "skipped 4 files:" in called.out
    for name in names:
        assert name in called.out
    assert [entry[0] for entry in load(out).record["data"]["skipped"]] == names
    assert called.out.startswith("56 images ")


def test_unusable_sources_are_refused_in_a_sentence_and_nothing_is_left(amiss, photos, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(photos / "000.png", one)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    shutil.copy(photos / "000.png", tmp_path / "a" / "b")
    before = files(tmp_path)
    for words, said in [
        ((tmp_path / "empty",), f"the folder '{tmp_path / 'empty'}' holds no images"),
        ((tmp_path / "nowhere",), f"'{tmp_path / 'nowhere'}' does not exist"),
        ((one,), "1 image was given"),
        ((one, "--fpr", "none"), "1 image was given"),
        ((tmp_path / "a",), "none is named good, normal or ok"),
        ((photos, "--fpr", "0.001"), "fpr=0.001 needs 999 calibration images"),
        ((photos, "--fpr", "1.5"), "fpr=1.5 is not a false-alarm rate"),
        ((photos, "--size", "8"), "8x8 pixels do not fit"),
        ((photos, "--size", "0"), "the size 0"),
        ((photos, "--device", "abacus"), "unknown device 'abacus'"),
        ((photos, "--group-by", "["), "group_by '['"),
    ]:
        called = amiss("fit", *words, "-o", tmp_path / "m.safetensors", "-q")
        assert (called.code, called.out) == (2, "")
        assert said in called.complaint
        assert files(tmp_path) == before


def test_outputs_that_cannot_be_written_are_refused_before_any_work(amiss, monkeypatch, photos, model, tmp_path):
    monkeypatch.setattr(detector, "read_images", lambda *_: pytest.fail("work was begun"))
    out = shutil.copy(model, tmp_path / "m.safetensors")
    there = amiss("fit", photos, "-o", out)
    assert there.code == 2
    assert there.complaint.startswith(f"{out} exists: give --overwrite to replace it, --resume")
    assert "is a folder" in amiss("fit", photos, "-o", tmp_path, "--overwrite").complaint
    for words in ((), ("--overwrite",)):
        for place in ("", ".", "/"):
            assert "is a folder" in amiss("fit", photos, "-o", place, *words).complaint
    missing = tmp_path / "no" / "m.safetensors"
    for words in ((), ("--overwrite",), ("--resume",)):
        assert f"there is no folder {missing.parent}" in amiss("fit", photos, "-o", missing, *words).complaint
    both = amiss("fit", photos, "-o", out, "--resume", "--overwrite")
    assert both.complaint.startswith("--resume and --overwrite were both given")
    assert files(tmp_path) == ["m.safetensors"]


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="this system has no such device")
@pytest.mark.parametrize("word", ["--overwrite", "--resume"])
def test_a_device_is_neither_replaced_nor_read_for_ever(amiss, photos, word):
    called = amiss("fit", photos, "-o", "/dev/zero", word)
    assert (called.code, "device" in called.complaint) == (2, True)


@pytest.mark.skipif(os.name != "posix", reason="two fits into one output are told apart by a lock of POSIX")
@pytest.mark.parametrize("word", ["--resume", "--overwrite"])
def test_a_second_fit_into_one_output_is_refused_and_the_first_goes_on(amiss, monkeypatch, photos, tmp_path, word):
    out = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt(patch, "training")
        assert amiss("fit", photos, "-o", out, *QUICK).code == 130
    first = Unfinished(out)
    first.prepare(overwrite=False)
    kept = files(first.path)
    second = amiss("fit", photos, "-o", out, *QUICK, word)
    assert second.code == 2
    assert second.complaint.startswith(f"another fit is at work in {first.path}: wait")
    assert files(first.path) == kept
    first.release()
    assert amiss("fit", photos, "-o", out, *QUICK, word).code == 0


@pytest.mark.parametrize(
    ("name", "size"), [("plan.json", 3), ("store/pixels", 10), ("store/digests", 33), ("store/names.ends", 7)]
)
def test_a_damaged_unfinished_fit_is_told_and_can_be_started_anew(amiss, monkeypatch, photos, tmp_path, name, size):
    out = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        interrupt(patch, "training")
        assert amiss("fit", photos, "-o", out, *QUICK).code == 130
    damaged = tmp_path / "m.safetensors.fit" / name
    os.truncate(damaged, size)
    called = amiss("fit", photos, "-o", out, *QUICK, "--resume", "-q")
    assert called.code == 1
    assert str(damaged) in called.complaint
    assert "--overwrite" in called.complaint
    assert amiss("fit", photos, "-o", out, *QUICK, "--overwrite").code == 0


def test_a_model_that_reads_as_an_option_is_named_so_that_it_does_not(amiss, monkeypatch, photos, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = amiss("fit", photos, "--out=-m.safetensors", "--method", "knn", "-q")
    assert "amiss score ./-m.safetensors IMAGES" in done.out
    assert amiss("score", "-m.safetensors", photos).complaint == (
        "unknown option -m.safetensors: the file or folder of that name is given as ./-m.safetensors"
    )


@pytest.mark.skipif(os.geteuid() == 0 or os.name != "posix", reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(amiss, photos, tmp_path):
    tmp_path.chmod(0o500)
    called = amiss("fit", photos, "-o", tmp_path / "m.safetensors")
    tmp_path.chmod(0o700)
    assert (called.code, "Permission denied" in called.complaint) == (2, True)


def test_a_folder_that_is_not_a_fits_own_is_never_removed(amiss, photos, tmp_path):
    mine = tmp_path / "m.safetensors.fit"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for words in ((), ("--overwrite",), ("--resume",)):
        called = amiss("fit", photos, "-o", tmp_path / "m.safetensors", *words)
        assert called.code == 2
        assert f"{mine} is not an unfinished fit, it holds thesis.txt" in called.complaint
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_conversions_and_tables_are_told(amiss, photos, tmp_path):
    for i in range(60):
        name = f"{i:03}.png"
        image = Image.open(photos / name)
        (image.convert("RGB") if i == 7 else image).save(tmp_path / name)
    table = tmp_path / "list.csv"
    rows = [f"{i:03}.png,{i // 3}" for i in range(60)]
    table.write_text("\n".join(["image_path,scene", *rows]))
    called = amiss("fit", table, "-o", tmp_path / "m.safetensors", "--method", "knn", "--group-by", "scene")
    assert called.code == 0
    assert f"{table}: 60 rows" in called.err
    assert "59 grey files were converted to colour" in called.err
    assert "colour, 8-bit: trained on 39, calibrated on 21" in called.out  # whole scenes of three


def test_verbose_tells_the_settings_and_every_epoch(amiss, photos, tmp_path):
    called = amiss("fit", photos, "-o", tmp_path / "m.safetensors", "--method.epochs", 3, "-v")
    assert called.code == 0
    lines = called.err.splitlines()
    assert lines[0] == "method gradcon:"
    assert "  epochs: 3" in lines
    assert any(line.startswith("device cpu, ") and line.endswith("random state 0") for line in lines)
    told = [line for line in lines if line.startswith("training")]
    assert [f"epoch {i}" in " ".join(told) for i in (1, 2, 3)] == [True] * 3
    assert any(", recon " in line for line in told)
    again = amiss("score", tmp_path / "m.safetensors", photos, "-v", "-o", tmp_path / "s.csv")
    assert "method gradcon:" in again.err.splitlines()


@pytest.mark.parametrize("verb", ["fit", "score", "evaluate", "refit"])
def test_quiet_and_verbose_exclude_each_other(amiss, verb, tmp_path):
    given = {"fit": [".", "-o", "m"], "score": ["m", "."], "evaluate": ["m"], "refit": ["m", "r", "-o", "n"]}[verb]
    called = amiss(verb, *given, "-q", "-v")
    assert called.code == 2
    assert "--quiet and --verbose were both given" in called.complaint


@pytest.mark.parametrize(("words", "kept"), [((), True), (("--no-thumbnails",), False)])
def test_training_images_are_kept_unless_that_is_not_wanted(amiss, photos, tmp_path, words, kept):
    assert amiss("fit", photos, "-o", tmp_path / "m.safetensors", "--method", "pca", *words).code == 0
    artifact = Detector.load(tmp_path / "m.safetensors").artifact
    assert (artifact.thumbnails is not None) == kept
    assert ("thumbnails" in artifact.record) == kept
