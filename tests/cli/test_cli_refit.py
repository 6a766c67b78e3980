"""`amiss refit`: what each mark does; an empty review changes nothing; a wrong call leaves nothing behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector, InputError, WorkError, detector
from amiss.artifact.file import load
from amiss.data.images import Images
from amiss.data.review import Review
from amiss.engine.progress import Reporter
from amiss.methods.gradcon import GradCon
from amiss.protocols.refitting import prepare
from amiss.protocols.reviewed import split_reviewed
from amiss.protocols.split import split

QUICK = ("--method.epochs", "3", "--method.batch-size", "16")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def equal(a: Path, b: Path) -> bool:
    x, y = load(a), load(b)
    pairs = zip(x.scorer.state_dict().values(), y.scorer.state_dict().values(), strict=True)
    same = all(p.shape == q.shape and torch.equal(p, q) for p, q in pairs)
    return same and np.array_equal(x.calibration_scores, y.calibration_scores)


def reviewed(path: Path, **marks: list[Path | str]) -> Path:
    rows = [f"{image},{mark}" for mark, images in marks.items() for image in images]
    path.write_text("\n".join(["image_path,review", *rows]) + "\n")
    return path


@pytest.fixture
def pool(photos, tmp_path):
    """A copy of the photos that a test may change, with 3 noise images among them, the last a copy of the second."""
    folder = shutil.copytree(photos, tmp_path / "pool")
    for i, image in enumerate(np.random.default_rng(7).integers(0, 256, (2, 28, 28), dtype=np.uint8)):
        Image.fromarray(image).save(folder / f"bad{i}.png")
    shutil.copy(folder / "bad1.png", folder / "bad2.png")
    return folder


@pytest.fixture
def fitted(amiss, pool, tmp_path):
    out = tmp_path / "old.safetensors"
    assert amiss("fit", pool, "-o", out, "--method", "knn", "-q").code == 0
    return out


def test_an_empty_review_gives_the_same_model(amiss, photos, tmp_path):
    old, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    assert amiss("fit", photos, "-o", old, *QUICK, "--fpr", "0.06", "--random-state", "3", "--size", "16").code == 0
    called = amiss("refit", old, reviewed(tmp_path / "r.csv"), "-o", out)
    assert called.code == 0
    assert equal(old, out)
    a, b = load(old), load(out)
    assert (a.method, a.layout, a.fpr, a.seed) == (b.method, b.layout, b.fpr, b.seed)
    assert a.record["data"] == b.record["data"]
    assert a.record["given"] == b.record["given"]
    assert a.thumbnail_names == b.thumbnail_names
    assert files(tmp_path) == ["new.safetensors", "old.safetensors", "r.csv"]


def test_it_is_the_fit_of_the_folder_without_the_bad_images(amiss, photos, pool, fitted, tmp_path):
    out, clean = tmp_path / "new.safetensors", tmp_path / "clean.safetensors"
    # bad2.png is not marked, but has the pixels of bad1.png
    review = reviewed(tmp_path / "r.csv", anomaly=[pool / "bad0.png", pool / "bad1.png"], normal=[pool / "001.png"])
    called = amiss("refit", fitted, review, "-o", out)
    assert called.code == 0
    amiss("fit", photos, "-o", clean, "--method", "knn", "-q")
    assert equal(out, clean)
    assert "left: 3 training images marked anomaly, copies included" in called.err
    lines = called.out.splitlines()
    assert lines[1].split() == ["images", "used", "63", "60"]
    assert lines[4].split() == ["calibration", "images", "19", "19"]
    assert "marked anomaly: 2 images, " in called.out
    old, new = (Detector.load(path) for path in (fitted, out))
    before, after = (float(d.decision_function(pool / "bad0.png")[0]) for d in (old, new))
    shown = next(line for line in lines if "bad0.png" in line)
    assert f"{before:.6g} (p " in shown
    assert f"{after:.6g} (p " in shown
    assert lines[-1].startswith(f"model: {out}")
    assert files(tmp_path) == ["clean.safetensors", "new.safetensors", "old.safetensors", "pool", "r.csv"]


def test_confirmed_normals_train_and_never_calibrate(amiss, photos, new, fitted, pool, tmp_path):
    out = tmp_path / "new.safetensors"
    same = shutil.copy(pool / "000.png", tmp_path / "again.png")  # in the pool already
    review = reviewed(tmp_path / "r.csv", normal=[new / "000.png", new / "001.png", same], anomaly=[new / "noise0.png"])
    called = amiss("refit", fitted, review, "-o", out)
    assert called.code == 0
    assert "joined training: 2 images" in called.err
    old, after = load(fitted), load(out)
    assert after.record["data"]["train"] == old.record["data"]["train"] + 2
    assert after.record["data"]["calibration"] == old.record["data"]["calibration"]
    assert {str(new / "000.png"), str(new / "001.png")} <= set(after.thumbnail_names)
    # the pool is divided as before, so what calibrates is the same and only the reference images are more
    assert (
        Detector.load(out).decision_function(new / "000.png")[0]
        < Detector.load(fitted).decision_function(new / "000.png")[0]
    )


def test_unsure_images_do_not_train_but_go_on_calibrating(amiss, photos, tmp_path):
    old, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    amiss("fit", photos, "-o", old, "--method", "knn", "-q")
    names = load(old).thumbnail_names  # all that train
    others = sorted({str(path) for path in photos.iterdir()} - set(names))
    review = reviewed(tmp_path / "r.csv", unsure=[names[0], names[5], others[0]])
    called = amiss("refit", old, review, "-o", out)
    assert "not trained on: 2 training images marked unsure" in called.err
    assert load(out).thumbnail_names == [name for name in names if name not in (names[0], names[5])]
    assert load(out).record["data"]["calibration"] == len(others)


def test_marks_of_earlier_refits_go_on_counting(amiss, photos, pool, fitted, new, tmp_path):
    first, second, third = (tmp_path / f"{i}.safetensors" for i in (1, 2, 3))
    guest = Path(shutil.copy(new / "000.png", tmp_path / "guest.png"))
    amiss("refit", fitted, reviewed(tmp_path / "1.csv", anomaly=[pool / "bad0.png"], normal=[guest]), "-o", first)
    amiss("refit", first, reviewed(tmp_path / "2.csv", anomaly=[pool / "bad1.png"]), "-o", second)
    assert load(second).record["reviewed"]["anomalous"] == 3
    assert load(second).record["reviewed"]["joined"] == 1
    assert [row[:2] for row in load(second).record["review"]] == [
        [str(pool / "bad0.png"), "anomaly"],
        [str(guest), "normal"],
        [str(pool / "bad1.png"), "anomaly"],
    ]
    guest.unlink()
    called = amiss("refit", second, reviewed(tmp_path / "3.csv", normal=[pool / "bad0.png"]), "-o", third)
    assert f"'{guest}', which an earlier review marks normal, is no longer there and does not train" in called.err
    assert load(third).record["reviewed"]["anomalous"] == 2
    assert "other images than the model was fitted on" not in called.err


def test_contradictions_and_a_changed_folder_are_named(amiss, photos, pool, fitted, tmp_path):
    (pool / "003.png").unlink()
    review = tmp_path / "r.csv"
    review.write_text(f"image_path,review\n{pool / 'bad0.png'},normal\n{pool / 'bad0.png'},anomaly\n")
    called = amiss("refit", fitted, review, "-o", tmp_path / "new.safetensors")
    assert f"'{pool / 'bad0.png'}' is marked normal in line 2 and anomaly in line 3: the last counts" in called.err
    assert f"{pool}: other images than the model was fitted on (63 then, 62 now)" in called.err


def test_the_training_images_are_found_from_elsewhere_by_normal(amiss, monkeypatch, photos, tmp_path):
    monkeypatch.chdir(photos.parent)
    old = tmp_path / "old.safetensors"
    amiss("fit", photos.name, "-o", old, "--method", "knn", "-q")
    assert load(old).record["given"]["normal"] == photos.name
    monkeypatch.chdir(tmp_path)
    review = reviewed(tmp_path / "r.csv", unsure=[photos / "000.png"])
    called = amiss("refit", old, review, "-o", "new.safetensors")
    assert called.code == 2
    assert called.complaint.startswith(
        f"'{photos.name}', where the model remembers its training images, does not exist"
    )
    assert "--normal DIR" in called.complaint
    assert files(tmp_path) == ["old.safetensors", "r.csv"]
    assert amiss("refit", old, review, "-o", "new.safetensors", "--normal", photos, "-q").code == 0
    assert load(tmp_path / "new.safetensors").record["given"]["normal"] == str(photos)


def test_a_model_that_remembers_no_place_asks_for_it(amiss, photos, tmp_path):
    old = tmp_path / "old.safetensors"
    Detector("knn").fit(np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)).save(old)
    called = amiss("refit", old, reviewed(tmp_path / "r.csv"), "-o", tmp_path / "new.safetensors", "-q")
    assert called.complaint == (
        "the model does not remember where its training images are: give them, as normal= or --normal DIR"
    )
    called = amiss("refit", old, tmp_path / "r.csv", "-o", tmp_path / "new.safetensors", "--normal", photos, "-q")
    assert called.code == 0


def press(monkeypatch):
    """Press Ctrl-C in the second epoch of training."""

    def call(reporter, what, done, total, detail):
        if what.startswith("training") and detail.startswith("epoch 2"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "__call__", call)


def test_an_interrupted_refit_goes_on_to_the_same_model(amiss, monkeypatch, photos, pool, tmp_path):
    old, out, straight = (tmp_path / f"{name}.safetensors" for name in ("old", "new", "straight"))
    amiss("fit", pool, "-o", old, *QUICK, "-q")
    review = reviewed(tmp_path / "r.csv", anomaly=[pool / "bad0.png"])
    assert amiss("refit", old, review, "-o", straight, "-q").code == 0
    with monkeypatch.context() as patch:
        press(patch)
        called = amiss("refit", old, review, "-o", out, "-q")
    kept = tmp_path / "new.safetensors.fit"
    assert called.code == 130
    assert called.complaint == f"interrupted: {kept} keeps what was done; the same call with --resume goes on"
    assert not out.exists()
    held = f"{kept} holds an unfinished fit: give --resume to go on with it, or --overwrite to start anew"
    assert amiss("refit", old, review, "-o", out).complaint == held
    other = reviewed(tmp_path / "other.csv", anomaly=[pool / "bad0.png"], unsure=[pool / "001.png"])
    changed = amiss("refit", old, other, "-o", out, "--resume", "-q")
    assert (changed.code, f"cannot resume {kept}: review was" in changed.complaint) == (2, True)
    assert amiss("refit", old, review, "-o", out, "--resume", "-q").code == 0
    assert equal(out, straight)
    log = load(out).record["log"]
    assert [entry["epochs_kept"] for entry in log if entry["event"] == "resume"] == [1]
    assert not kept.exists()
    again = amiss("refit", old, review, "-o", out, "--resume")
    assert (again.code, "finished already" in again.out) == (0, True)


def test_a_model_that_cannot_be_written_keeps_what_was_done(amiss, monkeypatch, photos, fitted, tmp_path):
    out = tmp_path / "new.safetensors"

    def full(artifact, path):
        raise WorkError(f"could not write {path}: No space left on device; nothing was replaced")

    review = reviewed(tmp_path / "r.csv")
    with monkeypatch.context() as patch:
        patch.setattr(detector, "save", full)
        called = amiss("refit", fitted, review, "-o", out, "-q")
    assert called.code == 1
    assert called.complaint.endswith(f"({out}.fit keeps what was done, for --resume)")
    assert amiss("refit", fitted, review, "-o", out, "--resume", "-q").code == 0


def test_the_model_may_be_replaced_and_stays_until_the_new_one_is_written(amiss, monkeypatch, photos, fitted, tmp_path):
    review = reviewed(tmp_path / "r.csv")
    there = amiss("refit", fitted, review, "-o", fitted)
    assert there.complaint.startswith(f"{fitted} exists: give --overwrite to replace it, --resume to go on")
    written = fitted.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("amiss.fitting.refit.fit_split", lambda *_, **__: (_ for _ in ()).throw(WorkError("broke")))
        assert amiss("refit", fitted, review, "-o", fitted, "--overwrite", "-q").code == 1
    assert fitted.read_bytes() == written
    assert amiss("refit", fitted, review, "-o", fitted, "--overwrite", "-q").code == 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("{pool}/bad0.png,wrong", "in line 2; accepted are normal, anomaly and unsure"),
        ("{pool}/none.png,anomaly", "'{review}' in line 2 names '{pool}/none.png', which is neither a training image"),
        ("{tmp},normal", "is neither a training image nor a file"),
        ("{bad},normal", "truncated.png"),
    ],
)
def test_reviews_that_cannot_be_used_are_refused_and_nothing_is_left(amiss, fitted, pool, bad, tmp_path, rows, said):
    review, out = tmp_path / "r.csv", tmp_path / "out"
    out.mkdir()
    names = {"pool": pool, "tmp": tmp_path, "bad": bad["truncated"], "review": review}
    review.write_text(f"image_path,review\n{rows.format(**names)}\n")
    called = amiss("refit", fitted, review, "-o", out / "new.safetensors", "-q")
    assert (called.code, called.out) == (2, "")
    assert said.format(**names) in called.complaint
    assert files(out) == []


def test_wrong_calls_are_one_sentence_and_leave_nothing(amiss, model, fitted, pool, photos, tmp_path):
    review, out = reviewed(tmp_path / "r.csv"), tmp_path / "out"
    all_bad = reviewed(tmp_path / "all.csv", anomaly=sorted(pool.iterdir()))
    few = reviewed(tmp_path / "few.csv", anomaly=sorted(pool.iterdir())[:30])
    out.mkdir()
    for words, said in [
        ((fitted, tmp_path / "none.csv"), "none.csv' does not exist"),
        ((review, review), "is not a model"),
        ((fitted, review, "--normal", tmp_path / "none"), "does not exist"),
        ((fitted, review, "--known", photos), "knn learns from normal images only"),
        ((fitted, review, "--on-bad", "pass"), "--on-bad"),
        ((fitted, review, "--device", "abacus"), "unknown device 'abacus'"),
        ((fitted, review, "--resume", "--overwrite"), "--resume and --overwrite were both given"),
        ((fitted, all_bad), "all 63 training images are marked anomaly"),
        ((fitted, few), "fpr=0.05 needs 19 calibration images"),
        ((fitted,), "REVIEW is missing"),
    ]:
        called = amiss("refit", *words, "-o", out / "new.safetensors", "-q")
        assert (called.code, called.out) == (2, ""), called
        assert said in called.complaint
        assert files(out) == []
    missing = out / "no" / "m.safetensors"
    assert f"there is no folder {missing.parent}" in amiss("refit", fitted, review, "-o", missing).complaint


def test_unreadable_images_are_left_out_as_in_the_fit(amiss, photos, bad, tmp_path):
    pool = shutil.copytree(photos, tmp_path / "pool")
    broken = shutil.copy(bad["truncated"], pool / "broken.png")
    old, out = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    amiss("fit", pool, "-o", old, "--method", "knn", "--on-bad", "skip", "-q")
    called = amiss("refit", old, reviewed(tmp_path / "r.csv", anomaly=[broken]), "-o", out)
    assert called.code == 0
    assert f"skipped '{broken}' of the review, which cannot be read" in called.err
    assert equal(old, out)


def test_a_recalibrated_model_calibrates_on_its_training_images_again_and_says_so(amiss, photos, fitted, new, tmp_path):
    other, out = tmp_path / "other.safetensors", tmp_path / "new.safetensors"
    Detector.load(fitted).calibrate(new, fpr=0.1).save(other)
    called = amiss("refit", other, reviewed(tmp_path / "r.csv"), "-o", out)
    assert "amiss calibrate was run on the old model" in called.out
    assert load(out).fpr == 0.1


def test_a_threshold_by_hand_is_refused_because_it_is_of_other_scores(photos, tmp_path):
    fitted = Detector("knn").fit(photos).set_threshold(2.0)
    with pytest.raises(InputError, match="the model decides at 2, set by hand for its own scores"):
        fitted.refit(reviewed(tmp_path / "r.csv"))


def test_in_python_with_marks_and_settings_that_are_kept(photos, new):
    fitted = Detector(GradCon(epochs=2), fpr=None, precision="bfloat16", keep_images=False).fit(photos)
    marks = Review({str(photos / "000.png"): "anomaly"}, {str(photos / "000.png"): "here"})
    fresh = Detector.of(fitted.artifact).refit(marks)
    assert (fresh.fpr, fresh.runtime.precision, fresh.artifact.thumbnails) == (None, "bfloat16", None)
    assert len(fresh.decision_scores_) == 59
    assert fitted.artifact.record["data"]["images"] == 60


def test_a_table_of_training_images_is_reviewed_by_its_own_names(photos, new, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "set")
    table = folder / "t.csv"
    table.write_text("image_path\n" + "".join(f"{i:03}.png\n" for i in range(60)))
    fitted = Detector("knn").fit(table)
    marks = {"000.png": "anomaly", str(new / "001.png"): "normal"}
    fresh = fitted.refit(Review(marks, dict.fromkeys(marks, "here")))
    assert fresh.artifact.record["reviewed"]["pool"] == 60
    assert len(fresh.decision_scores_) == 60
    assert str(new / "001.png") in fresh.artifact.thumbnail_names


def test_neither_copies_nor_groups_of_what_calibrates_join_training():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (13, 1, 4, 4), dtype=np.uint8)
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 8, 9, 3])
    pixels[11] = pixels[0]  # a copy of a pool image
    own = np.arange(13) < 10

    def divide(images):
        return split(images, n_calibration=2, n_held_out=2, seed=0)

    images = Images(pixels, groups=groups)
    digests = [str(d, "ascii") for d in images.digests()]
    parts = split_reviewed(images, own, [], [digests[4]], divide)
    usual = divide(images.subset(np.arange(10)))
    apart = {int(groups[i]) for i in [*usual.calibration, *usual.held_out]}
    assert parts.apart == int(3 in apart)
    names = [parts.images.name(int(i)) for i in parts.split.train]
    assert "10" in names
    assert "11" not in names
    assert {parts.images.name(int(i)) for i in parts.split.calibration} == {str(i) for i in usual.calibration}
    used = np.concatenate([parts.split.train, parts.split.held_out, parts.split.calibration])
    assert sorted(used) == list(range(len(parts.images)))
    gone = split_reviewed(images, own, digests[:2], [], divide)
    assert (gone.anomalous, "0" in {gone.images.name(i) for i in range(len(gone.images))}) == (2, False)
    with pytest.raises(InputError, match="after the review 3 images train and 0 of 2 are held out"):
        split_reviewed(images, own, [], [d for d in digests[:10] if d != digests[int(usual.train[0])]][:9], divide)


def test_files_of_the_work_are_named_before_any_is_decoded(photos, tmp_path):
    layout = Detector("knn").fit(photos).layout
    with pytest.raises(InputError, match="does not remember"):
        prepare(layout, {}, reviewed(tmp_path / "r.csv"))
    work = prepare(layout, {}, tmp_path / "r.csv", photos)
    assert (work.pool, len(work.listing)) == (60, 60)
    assert os.fspath(photos) == work.origin.normal
    given = {"given": {"normal": str(photos), "known": str(photos), "group_by": "."}}
    work = prepare(layout, given, tmp_path / "r.csv")
    assert (work.known, work.origin.reading.group_by) == (str(photos), ".")
    assert set(work.plan()) == {"review", "known anomalies"}
