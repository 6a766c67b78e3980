"""A detector for every subfolder: the one that `fit` makes, kept while nothing changes; failures stop no other."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_photos import write_photos

from amiss import Detector, catalog
from amiss.contracts import InputError, WorkError
from amiss.methods.knn import KNN
from amiss.scale import fitters
from amiss.scale.each import Answer, Asked, Job
from amiss.scale.fit_each import TABLE, FitEach, here
from amiss.scale.fitters import InProcesses

ASKED = Asked(KNN())


def statuses(rows) -> dict[str, str]:
    return {row.name: row.status for row in rows}


def test_models_are_those_of_fit(root, tmp_path):
    rows = FitEach(root, tmp_path / "models", ASKED).run(here)
    assert statuses(rows) == dict.fromkeys(["bolts", "nuts", "screws"], "fitted")
    probe = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    thresholds = set()
    for row in rows:
        made = Detector.load(tmp_path / "models" / f"{row.name}.safetensors")
        alone = Detector(KNN(), fpr=0.05).fit(root / row.name)
        assert np.array_equal(made.decision_function(probe), alone.decision_function(probe))
        assert made.threshold_ == alone.threshold_ == row.threshold
        assert (row.images, row.train, row.calibration, row.fpr) == (50, 31, 19, 0.05)
        thresholds.add(row.threshold)
    assert len(thresholds) == 3
    table = list(csv.DictReader((tmp_path / "models" / TABLE).read_text().splitlines()))
    assert [(line["name"], line["status"], float(line["threshold"])) for line in table] == [
        (row.name, row.status, row.threshold) for row in rows
    ]


def test_finished_models_are_kept_until_images_or_settings_change(root, tmp_path):
    models = tmp_path / "models"
    FitEach(root, models, ASKED).run(here)
    before = {path.name: path.read_bytes() for path in models.glob("*.safetensors")}
    moved = root.rename(tmp_path / "elsewhere")
    (models / "bolts.safetensors").unlink()
    assert statuses(FitEach(moved, models, ASKED).run(here)) == {"bolts": "fitted", "nuts": "kept", "screws": "kept"}
    assert (models / "nuts.safetensors").read_bytes() == before["nuts.safetensors"]
    (moved / "nuts" / "good" / "000.png").unlink()
    rows = FitEach(moved, models, ASKED).run(here)
    assert statuses(rows) == {"bolts": "kept", "nuts": "failed", "screws": "kept"}
    assert "was made otherwise (the images have changed): --overwrite fits it anew" in rows[1].error
    rows = FitEach(moved, models, ASKED, overwrite=True).run(here)
    assert statuses(rows) == {"bolts": "kept", "nuts": "fitted", "screws": "kept"}
    assert rows[1].images == 49
    for other, said in (
        (replace(ASKED, method=KNN(k=2)), "method.k was 5, now 2"),
        (replace(ASKED, fpr=0.1), "fpr was 0.05, now 0.1"),
        (replace(ASKED, keep_images=False), "thumbnails was True, now False"),
    ):
        rows = FitEach(moved, models, other).run(here)
        assert set(statuses(rows).values()) == {"failed"}
        assert said in rows[0].error


def test_one_that_fails_stops_no_other(root, tmp_path):
    models = tmp_path / "models"
    (root / "empty").mkdir()
    write_photos(root / "few", 3, 9)
    (root / "nuts" / "good" / "001.png").write_bytes(b"no image")
    models.mkdir()
    (models / "screws.safetensors").write_bytes(b"mine")
    shutil.copy(_alone(root / "bolts", tmp_path), models / "bolts.safetensors")
    write_photos(root / "washers", 50, 7)
    rows = {row.name: row for row in FitEach(root, models, ASKED).run(here)}
    assert rows.pop("washers").status == "fitted"
    assert {row.status for row in rows.values()} == {"failed"}
    said = {
        "bolts": "was not made by amiss fit-each: --overwrite replaces it",
        "empty": "holds no images",
        "few": "and 3 were given",
        "nuts": "001.png' is not an image",
        "screws": "screws.safetensors is not a model",
    }
    assert set(rows) == set(said)
    for name, sentence in said.items():
        assert sentence in rows[name].error
    assert (models / "screws.safetensors").read_bytes() == b"mine"


def _alone(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "alone.safetensors"
    Detector(KNN(), fpr=0.05).fit(folder).save(path)
    return path


def test_a_call_that_cannot_work_is_refused_before_anything_is_fitted(root, tmp_path):
    (tmp_path / "file").touch()
    bare = tmp_path / "bare"
    bare.mkdir()
    for each, said in (
        (FitEach(tmp_path / "no", tmp_path / "m", ASKED), "is no folder; give one that has a subfolder"),
        (FitEach(bare, tmp_path / "m", ASKED), "has no subfolders"),
        (FitEach(root, tmp_path / "file", ASKED), "is a file: name a folder for the models"),
        (FitEach(root, tmp_path / "no" / "m", ASKED), "there is no folder"),
        (FitEach(root, root / "models", ASKED), "would be fitted on"),
        (FitEach(root, tmp_path / "m", replace(ASKED, method=catalog.load("ama_semi"))), "learns from known anomalies"),
    ):
        with pytest.raises(InputError, match=said):
            each.run(here)
    assert not (tmp_path / "m").exists()


def test_an_interruption_keeps_what_is_finished(root, tmp_path):
    models = tmp_path / "models"

    def interrupted(jobs, progress):
        yield from here(jobs[:1], progress)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="keeps the models that are finished; the same call goes on"):
        FitEach(root, models, ASKED).run(interrupted)
    assert [path.name for path in models.iterdir()] == ["bolts.safetensors"]
    assert statuses(FitEach(root, models, ASKED).run(here))["bolts"] == "kept"


def test_a_disk_that_is_full_stops_everything(root, tmp_path, monkeypatch):
    def full(path, write):
        raise WorkError(f"could not write {path}: no space")

    monkeypatch.setattr("amiss.scale.fit_each.write_atomic", full)
    with pytest.raises(WorkError, match="no space"):
        FitEach(root, tmp_path / "models", ASKED).run(here)


def fit_or_die(job: Job) -> Answer:
    """What a process does instead of a fit: it is killed, or it answers with its number."""
    if job.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return Answer(model=job.name.encode(), seconds=float(os.getpid()))


def test_a_killed_process_fails_its_own_job_alone(monkeypatch):
    monkeypatch.setattr(fitters, "fit_job", fit_or_die)
    jobs = [Job(name, "", ASKED, "cpu", {}) for name in ("a", "killed", "b")]
    answers = {job.name: answer for job, answer in InProcesses(2)(jobs, lambda *_: None)}
    assert set(answers) == {"a", "killed", "b"}
    killed = answers.pop("killed")
    assert killed.error == "its process was killed, perhaps for want of memory: give fewer --jobs"
    assert all(answer.model == name.encode() for name, answer in answers.items())
    assert float(os.getpid()) not in {answer.seconds for answer in answers.values()}
