"""`amiss fit-each` and `amiss score --route-by folder`: a model for every folder, and each image to its own."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from typing import get_type_hints

import pytest

from amiss import Detector
from amiss.cli.fit import FitOptions
from amiss.cli.fit_each import FitEachOptions


@pytest.fixture
def root(photos, tmp_path):
    for name in ("bolts", "nuts"):
        shutil.copytree(photos, tmp_path / "parts" / name / "good")
    return tmp_path / "parts"


def test_its_options_are_those_of_fit():
    each, fit = ({f.name: f.default for f in dataclasses.fields(kind)} for kind in (FitEachOptions, FitOptions))
    own = {"root", "jobs", "on", "gpus"}
    not_for_many = {"normal", "known", "report", "report_folds", "resume"}
    assert each.keys() - own == fit.keys() - not_for_many
    hints = [get_type_hints(kind) for kind in (FitEachOptions, FitOptions)]
    for name in each.keys() - own:
        assert each[name] == fit[name], name
        assert hints[0][name] == hints[1][name], name


def test_a_table_tells_what_came_of_each(amiss, root, tmp_path):
    (root / "empty").mkdir()
    models = tmp_path / "models"
    called = amiss("fit-each", root, "-o", models, "--method", "knn", "--method.k", "3")
    assert called.code == 1
    lines = called.out.splitlines()
    assert lines[0].split() == ["name", "images", "seconds", "threshold", "false", "alarms", "status"]
    assert [line.split()[0] for line in lines[1:]] == ["bolts", "empty", "nuts"]
    assert lines[1].endswith("at most 5 %  fitted")
    assert lines[2].split() == ["empty", "failed"]
    assert f"empty: the folder '{root / 'empty'}' holds no images" in called.err
    assert called.err.splitlines()[-1] == f"2 fitted, 1 failed; table: {models / 'fits.csv'}"
    assert Detector.load(models / "nuts.safetensors").method.k == 3
    (root / "empty").rmdir()
    again = amiss("fit-each", root, "-o", models, "--method", "knn", "--method.k", "3", "--jobs", "2")
    assert again.code == 0
    assert again.err.splitlines()[-2:] == [
        f"2 kept; table: {models / 'fits.csv'}",
        f"score with: amiss score {models} IMAGES --route-by folder -o scores.csv",
    ]


REFUSED = {
    "--jobs 0": "--jobs 0 is out of range: it must be 1 or more",
    "--gpus 0.5": "--gpus is for --on ray; here, --device names the device",
    "--on ray --gpus 0": "--gpus 0 is out of range: it must be above 0",
    "--on spark": "--on 'spark' is not accepted: give ray, or ray://HOST:PORT",
    "--on ray --jobs 2": "--jobs is for this machine's processes; on Ray, every processor of the cluster has a fit",
    "--on ray --device cuda": "--device cuda is not for --on ray: --gpus gives each fit a share of a GPU",
    "--device moon": "unknown device 'moon': use auto, cpu, cuda, cuda:N or mps",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_wrong_call_is_one_sentence(amiss, root, tmp_path, words):
    called = amiss("fit-each", root, "-o", tmp_path / "models", *words.split())
    assert (called.code, called.complaint) == (2, REFUSED[words])
    assert not (tmp_path / "models").exists()


@pytest.fixture
def routed(amiss, root, new, tmp_path):
    assert amiss("fit-each", root, "-o", tmp_path / "models", "--method", "knn", "-q").code == 0
    for name in ("bolts", "nuts"):
        shutil.copytree(new, tmp_path / "new" / name)
    return tmp_path / "models", tmp_path / "new"


def test_each_folder_goes_to_its_model(amiss, routed, tmp_path):
    models, data = routed
    called = amiss("score", models, data, "--route-by", "folder")
    rows = list(csv.DictReader(io.StringIO(called.out)))
    assert [row["model"] for row in rows] == ["bolts"] * 12 + ["nuts"] * 12
    wanted = Detector.load(models / "nuts.safetensors").score(data / "nuts")
    assert [(row["image_path"], row["pred_score"]) for row in rows[12:]] == [
        (row.image_path, str(row.pred_score)) for row in wanted
    ]
    found = sum(row["pred_label"] == "1" for row in rows)
    assert f": {found} of 24 images" in called.err
    assert f"bolts: {found // 2} of 12 images" in called.err
    out = tmp_path / "scores.csv"
    assert amiss("score", models, data, "--route-by", "folder", "-o", out, "-q").err == ""
    assert out.read_text() == called.out


def test_a_folder_without_a_model_is_named_or_left_out(amiss, routed, new):
    models, data = routed
    shutil.copytree(new, data / "washers")
    called = amiss("score", models, data, "--route-by", "folder")
    assert (called.code, called.out) == (2, "")
    assert called.complaint == f"{models} has no model for washers: fit them, or leave them out with --skip-unknown"
    called = amiss("score", models, data, "--route-by", "folder", "--skip-unknown")
    assert called.out.count("\n") == 25
    assert "left out, for want of a model: washers" in called.err


@pytest.mark.extra("table")
def test_routing_into_parts(amiss, routed, tmp_path):
    models, data = routed
    words = ["score", models, data, "--route-by", "folder", "--on", "local", "-o", tmp_path / "out"]
    called = amiss(*words)
    assert called.err.splitlines()[-1] == f"scores: {tmp_path / 'out'} (2 Parquet files)"
    assert amiss(*words, "--resume").out.startswith(f"{tmp_path / 'out'} is finished already")


@pytest.mark.parametrize("words", ["--threshold 1", "--terms", "--report x.html"])
def test_options_of_one_model_are_refused(amiss, routed, words):
    models, data = routed
    called = amiss("score", models, data, "--route-by", "folder", *words.split())
    assert called.complaint == f"{words.split()[0]} is for one model; with --route-by folder there are several"


def test_skip_unknown_is_for_routing(amiss, model, new):
    called = amiss("score", model, new, "--skip-unknown")
    assert called.complaint == "--skip-unknown is for --route-by folder, which looks for a model for each folder"
