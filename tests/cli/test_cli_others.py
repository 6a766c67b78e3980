"""`amiss data`, `amiss methods`, `amiss doctor` and `amiss demo`."""

from __future__ import annotations

import csv
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss import Detector, WorkError, catalog
from amiss.cli import demo as verb
from amiss.cli import doctor
from amiss.cli.methods import field_docs
from amiss.data import sets
from amiss.data.demo import Demo, load_demo
from amiss.evaluation.metrics import Interval
from amiss.evaluation.result import Result


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMISS_DATA", str(tmp_path / "data"))


# data


def test_the_list_tells_what_is_there(amiss, tmp_path):
    called = amiss("data", "list")
    assert called.code == 0
    assert str(tmp_path / "data") in called.err
    for name in sets.names():
        assert f"{name}: absent" in called.out
    assert "mnist: absent" not in amiss("data", "list", "cifar-10", "--home", tmp_path).out


def test_a_check_fails_for_what_is_missing_or_wrong(amiss, tmp_path):
    assert "holds no data set; amiss data get NAME downloads one" in amiss("data", "check").complaint
    missing = amiss("data", "check", "mnist")
    assert missing.code == 1
    assert missing.out.count(": missing") == 4
    assert missing.err == (
        "4 files missing or wrong: amiss data get mnist downloads what is needed, or says where to get it\n"
    )
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        path = tmp_path / "data" / "mnist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not the official file")
    wrong = amiss("data", "check")
    assert wrong.code == 1
    assert wrong.out.count("wrong checksum") == wrong.out.count("  expected sha256:") == 2
    assert "2 files missing or wrong" in wrong.err


def test_official_files_pass_the_check(amiss, home):
    called = amiss("data", "check", "fashion-mnist", "--home", home)
    assert called.code == 0
    assert "fashion-mnist (train)" in called.out
    assert "wrong" not in called.out


def test_folders_of_images_are_counted(amiss, tmp_path):
    folder = tmp_path / "data" / "coil-20"
    folder.mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "obj1__0.png")
    assert "coil-20: present" in amiss("data", "list", "coil-20").out
    told = amiss("data", "check")
    assert told.out == f"coil-20 (all): {folder}: partial\n  expected 1,440 images\n  found    1 images\n"
    assert told.code == 0
    assert amiss("data", "check", "coil-20").code == 1


@pytest.mark.parametrize("name", ["celeba", "cure-tsr", "head-ct", "brain-mri", "mvtec-ad", "mvtec-ad/bottle"])
def test_a_set_without_a_link_says_how_to_get_it(amiss, name):
    called = amiss("data", "get", name)
    assert called.code == 2
    assert "no direct link to download" in called.complaint
    assert "Licence: " in called.complaint
    assert "absent" in amiss("data", "list", name).out


def test_get_brings_each_named_set(amiss, monkeypatch, tmp_path):
    asked = []

    def get(name: str, home: Path | None, progress: object) -> list[Path]:
        asked.append((name, home))
        return [tmp_path / "new"] if name == "mnist" else []

    monkeypatch.setattr(sets, "get", get)
    called = amiss("data", "get", "mnist", "kmnist", "--home", tmp_path)
    assert called.code == 0
    assert asked == [("mnist", tmp_path), ("kmnist", tmp_path)]
    assert called.out == f"mnist: {tmp_path / 'new'}\nkmnist: complete, nothing to get\n"


def test_wrong_calls_of_data_are_refused(amiss):
    for words, said in [
        (("get",), "amiss data get needs names: choose from mnist"),
        (("get", "mnsit"), "there is no data set 'mnsit'; did you mean mnist?"),
        (("lst",), "'lst' is not accepted: give list, get or check"),
        ((), "list|get|check is missing"),
    ]:
        called = amiss("data", *words)
        assert called.code == 2
        assert said in called.complaint


# methods


def test_methods_are_listed_with_a_line_each(amiss):
    told = amiss("methods").out
    for name in catalog.names():
        assert any(line.split()[0] == name and len(line.split()) > 2 for line in told.splitlines())


@pytest.mark.parametrize("name", catalog.names())
def test_a_method_tells_its_paper_and_every_knob(amiss, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "500")
    told = amiss("methods", name).out
    method = catalog.load(name)
    assert catalog.summary(method) in told
    docs = field_docs(type(method))
    for knob in fields(method):
        assert f"--method.{knob.name.replace('_', '-')} {getattr(method, knob.name)}\n    {docs[knob.name]}" in told


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_method_fits_the_terminal(amiss, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = [line for line in amiss("methods", "gradcon").out.splitlines() if "://" not in line]
    assert max(map(len, lines)) < columns


def test_an_unknown_method_names_the_nearest(amiss):
    assert "did you mean gradcon" in amiss("methods", "gradcom").complaint


# doctor


def test_the_doctor_tells_versions_and_that_it_works(amiss):
    called = amiss("doctor")
    assert called.code == 0
    for start in ("versions: amiss ", "system: Python ", "processors: ", "devices: cpu", "extras: table", "disk: "):
        assert any(line.startswith(start) for line in called.out.splitlines())
    assert "fit, save, load, score: ok on " in called.out


def test_the_doctor_fails_where_something_does_not_work(amiss, monkeypatch):
    def broken() -> list[str]:
        raise WorkError("it does not work")

    monkeypatch.setattr(doctor, "CHECKS", {"one": lambda: ["fine"], "two": broken})
    called = amiss("doctor")
    assert called.code == 1
    assert called.out == "one: fine\ntwo: FAILED: WorkError: it does not work\n"
    assert called.err == "1 of 2 checks failed\n"


# demo


def few() -> Demo:
    """A part of the bundled images."""
    whole = load_demo()
    train, test = np.arange(0, 2400, 12), np.arange(0, 1000, 10)
    return replace(
        whole,
        train=whole.train.subset(train),
        test=whole.test.subset(test),
        test_labels=whole.test_labels[test],
        test_classes=whole.test_classes[test],
    )


def test_the_demo_does_the_main_job(amiss, monkeypatch, tmp_path):
    monkeypatch.setattr(verb, "load_demo", few)
    monkeypatch.chdir(tmp_path)
    called = amiss("demo", "--epochs", "1")
    assert called.code == 0
    demo = few()
    assert f"{len(demo.train)} T-shirts" in called.err
    detector = Detector.load("amiss-demo/gradcon.safetensors")
    with Path("amiss-demo/scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_path"] for row in rows] == [demo.test.name(i) for i in range(100)]
    scores = detector.decision_function(demo.test.take(np.arange(100)))
    assert [float(row["pred_score"]) for row in rows] == scores.tolist()
    called_anomalous = detector.predict(demo.test.take(np.arange(100)))
    alarms, found = (int(called_anomalous[demo.test_labels == label].sum()) for label in (0, 1))
    normal = int((demo.test_labels == 0).sum())
    assert f"observed false alarms: {alarms} of {normal} unseen normal images" in called.out
    assert f"detected: {found} of {100 - normal} anomalous images" in called.out
    assert "at most 5 % false alarms on new normal images (promised from 40 calibration images)" in called.out
    for title in ("GradCon", "kNN on raw pixels", "PCA on raw pixels", "time taken: "):
        assert title in called.out
    page = Path("amiss-demo/report.html").read_text(encoding="utf-8")
    assert all(row["image_path"] in page for row in rows)
    assert "Against the labels" in page
    assert "amiss refit amiss-demo/gradcon.safetensors review.csv" in page
    again = amiss("demo")
    assert again.code == 2
    assert again.complaint.startswith("amiss-demo/gradcon.safetensors exists: give --overwrite")


def test_the_demo_refuses_an_output_that_cannot_be_written(amiss, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is not a folder: choose another --out" in amiss("demo", "--out", tmp_path / "file").complaint
    assert "there is no folder" in amiss("demo", "--out", tmp_path / "no" / "demo").complaint


def result(auroc: float, low: float, high: float) -> Result:
    interval = Interval(low, high, 0.95, 1000)
    return Result(auroc, interval, 0, 0, 0, (), 0, {}, 1, 1, ("metric",), False)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (result(0.95, 0.94, 0.96), "ahead of other by 0.050 here; their intervals do not overlap"),
        (result(0.91, 0.89, 0.93), "ahead of other by 0.010 here; their intervals overlap"),
        (result(0.9, 0.88, 0.92), "level with other by 0.000 here; their intervals overlap"),
        (result(0.8, 0.7, 0.85), "behind other by 0.100 here; their intervals do not overlap"),
    ],
)
def test_the_demo_says_where_it_stands_whichever_way_the_numbers_fall(own, said):
    assert verb._compared({"own": own, "other": result(0.9, 0.88, 0.92)}) == [f"  own is {said}"]
