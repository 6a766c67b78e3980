"""`amiss score`: the table is the detector's, whatever it is written to, and half of one is never left behind."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss import Detector
from amiss.calibration.table import TableWriter

HEADER = ["image_path", "pred_score", "p_value", "normal_percentile", "pred_label"]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def expected(model: Path, new: Path) -> list[dict[str, str]]:
    table = Detector.load(model).score(new)
    return [{name: str(value) for name, value in row._asdict().items()} for row in table]


def test_a_table_holds_the_detectors_scores(amiss, model, new, tmp_path):
    out = tmp_path / "scores.csv"
    called = amiss("score", model, new, "-o", out)
    assert (called.code, called.out) == (0, "")
    rows = read(out.read_text())
    assert list(rows[0]) == HEADER
    assert rows == expected(model, new)
    assert len(rows) == 12
    labels = {Path(row["image_path"]).name: row["pred_label"] for row in rows}
    assert labels["noise0.png"] == labels["noise1.png"] == "1"
    found = sum(label == "1" for label in labels.values())
    assert f": {found} of 12 images" in called.err
    assert "at most 5 % false alarms on new normal images (promised from 19 calibration images)" in called.err
    assert called.err.endswith(f"scores: {out}\n")


def test_without_an_output_the_table_goes_to_standard_output(amiss, model, new):
    called = amiss("score", model, new)
    assert read(called.out) == expected(model, new)
    assert "12 images" in called.err
    quiet = amiss("score", model, new, "--quiet")
    assert (quiet.out, quiet.err) == (called.out, "")


@pytest.mark.extra("table")
def test_parquet_holds_the_same(amiss, model, new, tmp_path):
    import pandas as pd

    out = tmp_path / "scores.parquet"
    assert amiss("score", model, new, "-o", out, "--terms").code == 0
    frame = pd.read_parquet(out)
    rows = expected(model, new)
    assert list(frame["image_path"]) == [row["image_path"] for row in rows]
    assert [repr(value) for value in frame["pred_score"].tolist()] == [row["pred_score"] for row in rows]


def test_one_image_and_a_list_are_scored_too(amiss, model, new, tmp_path):
    rows = {row["image_path"]: row for row in expected(model, new)}
    one = new / "noise0.png"
    assert read(amiss("score", model, one).out) == [rows[str(one)]]
    table = tmp_path / "list.csv"
    table.write_text(f"image_path\n{new / '003.png'}\n{one}\n")
    assert read(amiss("score", model, table).out) == [rows[str(new / "003.png")], rows[str(one)]]


def test_a_folder_is_scored_with_its_subfolders_whatever_they_are_called(amiss, model, new, tmp_path):
    shutil.copytree(new, tmp_path / "in" / "scratched" / "deep")
    shutil.copy(new / "000.png", tmp_path / "in")
    assert len(read(amiss("score", model, tmp_path / "in").out)) == 13


def test_the_decision_can_be_made_anew(amiss, model, new):
    at = {fpr: amiss("score", model, new, "--fpr", str(fpr)) for fpr in (0.05, 0.5)}
    found = {fpr: [row["pred_label"] for row in read(called.out)].count("1") for fpr, called in at.items()}
    assert found[0.5] > found[0.05]
    detector = Detector.load(model).set_fpr(0.5)
    assert f"threshold {detector.threshold_:.6g}: at most 50 % false alarms" in at[0.5].err
    scores = sorted(float(row["pred_score"]) for row in read(at[0.5].out))
    by_hand = amiss("score", model, new, "--threshold", repr(scores[4]))
    assert [row["pred_label"] for row in read(by_hand.out)].count("1") == len(scores) - 5
    assert f"threshold {scores[4]:.6g}, set by hand: expect " in by_hand.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fpr", "0.01"), "fpr=0.01 needs 99 calibration images and there are 19, whose smallest rate is fpr=0.05"),
        (("--fpr", "none"), "--fpr 'none' is not accepted: give a number"),
        (("--threshold", "none"), "--threshold 'none' is not accepted: give a number"),
        (("--fpr", "1e-300"), "fpr=1e-300 needs 1.0e+300 calibration images"),
        (("--fpr", "0"), "fpr=0.0 is not a false-alarm rate"),
        (("--fpr", "0.1", "--threshold", "3"), "--fpr 0.1 and --threshold 3 were both given"),
        (("--threshold", "inf"), "the threshold is inf: it must be a finite number"),
        (("--device", "cuda:99"), "cuda:99"),
    ],
)
def test_decisions_that_cannot_be_made_are_refused(amiss, model, new, tmp_path, words, said):
    called = amiss("score", model, new, "-o", tmp_path / "scores.csv", *words)
    assert called.code == 2
    assert said in called.complaint
    assert list(tmp_path.iterdir()) == []


def test_terms_get_columns_of_their_own(amiss, new, photos, tmp_path):
    path = tmp_path / "m.safetensors"
    amiss("fit", photos, "-o", path, "--method.epochs", "1", "-q")
    rows = read(amiss("score", path, new, "--terms").out)
    assert list(rows[0]) == [*HEADER, "recon", "latent", "grad", "grad.1", "grad.2", "grad.3", "grad.4"]
    for row in rows:
        total = float(row["recon"]) + 0.12 * float(row["grad"])
        assert float(row["pred_score"]) == pytest.approx(total, abs=1e-6)


@pytest.fixture
def mixed(new: Path, bad: dict[str, Path], tmp_path: Path) -> Path:
    """Twelve images and four that cannot be read."""
    folder = shutil.copytree(new, tmp_path / "mixed")
    for name, path in bad.items():
        shutil.copy(path, folder / f"zz-{name}.png")
    return folder


def test_a_bad_file_stops_and_leaves_no_half_table(amiss, model, mixed, tmp_path):
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "scores.csv"
    out.write_text("old\n")
    called = amiss("score", model, mixed, "-o", out, "--overwrite")
    assert called.code == 2
    assert str(mixed / "zz-bomb.png") in called.complaint
    assert "--on-bad skip" in called.complaint
    assert out.read_text() == "old\n"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".parquet", marks=pytest.mark.extra("table"))])
def test_bad_files_are_skipped_if_wanted_and_named(amiss, model, mixed, bad, tmp_path, suffix):
    out = tmp_path / f"scores{suffix}"
    called = amiss("score", model, mixed, "-o", out, "--on-bad", "skip")
    assert called.code == 0
    assert "skipped 4 files:" in called.err
    for name in bad:
        assert str(mixed / f"zz-{name}.png") in called.err
    assert "of 12 images" in called.err


@pytest.mark.parametrize("terms", [(), ("--terms",)])
def test_a_last_chunk_without_a_single_image_is_no_trouble(amiss, model, bad, tmp_path, terms):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 28, 28), dtype=np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i:03}.png")
    shutil.copy(bad["text"], folder / "zz.png")
    called = amiss("score", model, folder, "--on-bad", "skip", *terms)
    assert called.code == 0
    assert len(read(called.out)) == 256


def test_only_bad_files_make_no_table(amiss, model, bad, tmp_path):
    out = tmp_path / "scores.csv"
    called = amiss("score", model, bad["text"].parent / "text.png", "-o", out, "--on-bad", "skip", "-q")
    assert called.code == 2
    assert called.complaint.startswith(f"none of 1 image could be read: '{bad['text']}'")
    assert list(tmp_path.iterdir()) == []


def test_conversions_are_told(amiss, model, new, tmp_path):
    Image.open(new / "000.png").convert("RGB").save(tmp_path / "colour.png")
    assert "1 colour file was converted to grey" in amiss("score", model, tmp_path).err


def test_wrong_calls_are_refused(amiss, model, new, tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("no model")
    half = tmp_path / "half.safetensors"
    half.write_bytes(model.read_bytes()[:-100])
    taken = tmp_path / "taken.csv"
    taken.write_text("old")
    before = sorted(tmp_path.iterdir())
    for words, said in [
        ((model, new, "-o", tmp_path / "s.txt"), "its name must end in .csv or .parquet"),
        ((model, new, "-o", taken), f"{taken} exists: give --overwrite to replace it, or choose another output"),
        ((model, new, "-o", tmp_path / "no" / "s.csv"), f"there is no folder {tmp_path / 'no'}"),
        ((tmp_path / "gone", new), f"cannot read the model {tmp_path / 'gone'}"),
        ((text, new), f"{text} is not a model"),
        ((half, new), f"{half} is truncated or damaged"),
        ((model, tmp_path / "gone"), f"'{tmp_path / 'gone'}' does not exist"),
        ((model,), "IMAGES is missing"),
    ]:
        called = amiss("score", *words)
        assert (called.code, called.out) == (2, "")
        assert said in called.complaint
        assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_is_a_failure_and_leaves_nothing(amiss, monkeypatch, model, new, tmp_path):
    def full(writer: TableWriter, table: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("amiss.calibration.table.CsvRows.write", full)
    called = amiss("score", model, new, "-o", tmp_path / "s.csv", "-q")
    assert called.code == 1
    assert called.complaint == f"could not write {tmp_path / 's.csv'}: No space left on device; nothing was replaced"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_text_is_printed_all_the_same(amiss, model, new, tmp_path):
    shutil.copy(new / "000.png", tmp_path / "a\udcff.png")
    called = amiss("score", model, tmp_path)
    assert called.code == 0
    assert "a\\udcff.png" in called.out or "a\udcff.png" in called.out
