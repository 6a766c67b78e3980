"""`amiss export` and `amiss export --check` as a person meets them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from exporting import SPEC, fitted, samples
from PIL import Image

from amiss.__main__ import main
from amiss.export import check as checking
from amiss.export.facts import read_facts
from amiss.export.runtime import Session
from amiss.methods.pca import PCA

pytestmark = [pytest.mark.extra("export"), pytest.mark.xdist_group("export-cli")]

WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

ABSENT = {"torch", "sklearn", "scipy", "safetensors", "tyro", "cattrs", "attrs", "onnx", "onnxscript", "pandas"}
sys.meta_path.insert(0, Absent())
from amiss.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, its images, new images and the exported file, and what the command said."""
    place = tmp_path_factory.mktemp("export")
    for name, images in (("good", samples(SPEC, "uint8").held_out), ("new", samples(SPEC, "uint8").test)):
        (place / name).mkdir()
        for i, image in enumerate(images.take(np.arange(len(images))).numpy()[:, 0]):
            Image.fromarray(image).save(place / name / f"{i:02}.png")
    fitted(PCA()).save(place / "model.safetensors")
    call = [sys.executable, "-m", "amiss", "export", "model.safetensors", "--images", "good", "-o", "m.onnx"]
    done = subprocess.run(call, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place, done


@pytest.fixture
def place(made, monkeypatch):
    monkeypatch.chdir(made[0])
    return made[0]


@pytest.fixture
def amiss(capsys):
    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return (code, *capsys.readouterr())

    return call


def test_it_says_what_was_compared_and_written(made):
    _, done = made
    assert done.stderr == "" or "exporting" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("compared on 60 given images, in batches of 1, 5 and 33, with onnxruntime ")
    assert re.fullmatch(r"scores: largest difference \S+ of the spread; 0 images beyond 1e-05", lines[1])
    assert lines[2].startswith("decisions: equal for all images further than the tolerance from the threshold")
    assert lines[3].startswith("threshold 0.")
    assert re.match(r"m.onnx: 0.\d MB, images \(N, C, H, W\) of 28 x 28 pixels, grey, 8-bit, to pred_score, ", lines[4])


def test_a_check_needs_no_torch(place):
    call = [sys.executable, "-c", WITHOUT_TORCH, "export", "--check", "m.onnx", "new"]
    done = subprocess.run(call, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 scores in the file came out again" in done.stdout
    labels = fitted(PCA()).predict("new")
    assert f"{labels.sum()} of 40 images" in done.stdout
    assert "new: 40 images, scores from " in done.stdout
    other = subprocess.run([*call[:3], "methods"], cwd=place, capture_output=True, text=True, check=False)
    assert re.search("No module named '(torch|tyro)'", other.stderr)  # so they really were absent


def test_a_check_scores_as_amiss_score_does(place):
    session, found = checking.check(place / "m.onnx")
    scored = checking.score(session, found.facts, place / "new", lambda *_: None)
    wanted = fitted(PCA()).score("new")
    assert [name.split("/")[-1] for name in scored.names] == [name.split("/")[-1] for name in wanted.image_path]
    np.testing.assert_allclose(scored.pred_score, wanted.pred_score, rtol=1e-6)
    assert np.array_equal(scored.p_value, wanted.p_value)
    assert np.array_equal(scored.pred_label, wanted.pred_label)


def test_a_check_without_images_looks_at_the_file_alone(amiss, place):
    code, out, err = amiss("export", "--check", "m.onnx")
    assert (code, err, len(out.splitlines())) == (0, "", 4)
    assert out.startswith("m.onnx: pca, 28 x 28 pixels, grey, 8-bit\n")


def test_an_altered_file_does_not_pass(amiss, place, tmp_path):
    import onnx
    from onnx import numpy_helper

    model = onnx.load("m.onnx")
    mean = max(model.graph.initializer, key=lambda t: numpy_helper.to_array(t).size)
    mean.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(mean) * 1.1, mean.name))
    onnx.save(model, tmp_path / "altered.onnx")
    code, out, err = amiss("export", "--check", tmp_path / "altered.onnx", "new")
    assert (code, out) == (1, "")
    assert re.search(r"does not score as when it was exported: drawn image \d differs by .*; do not use it here\n", err)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--check"], "FILE.onnx is missing: amiss export --check FILE.onnx [IMAGES]"),
        (["--check", "m.onnx", "new", "x"], "'x' is one word too many: amiss export --check FILE.onnx [IMAGES]"),
        (
            ["--check", "m.onnx", "--fpr"],
            "unknown option --fpr: --check takes -q alone; see amiss export --check --help",
        ),
        (["--check", "absent.onnx"], "cannot read absent.onnx: No such file or directory"),
        (["--check", "new"], "cannot read new: Is a directory"),
        (
            ["--check", "m.onnx", "absent"],
            "'absent' does not exist; give a folder, an image, a list of images or a table",
        ),
        (["model.safetensors", "-o", "m.txt"], "cannot export to m.txt: its name must end in .onnx"),
        (
            ["model.safetensors", "-o", "m.onnx"],
            "m.onnx exists: give --overwrite to replace it, or choose another output",
        ),
        (["absent", "-o", "n.onnx"], "cannot read the model absent: No such file or directory"),
        (["model.safetensors"], "-o/--out is missing"),
        (
            ["model.safetensors", "-o", "n.onnx", "--fpr", "0.001"],
            "fpr=0.001 needs 999 calibration images and there are",
        ),
        (["model.safetensors", "-o", "n.onnx"], "the images that the model was fitted on cannot be read from here"),
        (["model.safetensors", "-o", "no/n.onnx"], "cannot write no/n.onnx: there is no folder no; make it"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(words, sentence, amiss, place):
    code, out, err = amiss("export", *words)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"amiss: {sentence}")
    assert not (place / "n.onnx").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "new/00.png"])
def test_what_is_no_onnx_file_is_refused(name, amiss, place, tmp_path):
    shutil.copy(name, tmp_path / "x.onnx")
    code, _, err = amiss("export", "--check", tmp_path / "x.onnx")
    assert code == 2
    assert "x.onnx is no ONNX file that can be loaded: " in err


def test_an_onnx_file_of_others_is_refused(amiss, place, tmp_path):
    import onnx

    model = onnx.load("m.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    code, _, err = amiss("export", "--check", tmp_path / "other.onnx")
    assert (code, err) == (
        2,
        f"amiss: {tmp_path}/other.onnx was not written by amiss export, or it is damaged: it lacks 'format'\n",
    )


def test_a_file_that_says_what_it_is_not_is_refused(amiss, place, tmp_path):
    import onnx

    model = onnx.load("m.onnx")
    (spec,) = (entry for entry in model.metadata_props if entry.key == "amiss.spec")
    spec.value = spec.value.replace("28", "100000000")
    onnx.save(model, tmp_path / "large.onnx")
    code, out, err = amiss("export", "--check", tmp_path / "large.onnx")
    assert (code, out) == (2, "")
    assert "large.onnx says that it takes images of ImageSpec(" in err


def test_files_that_cannot_be_read_are_listed(amiss, place, tmp_path):
    shutil.copytree("new", tmp_path / "some")
    (tmp_path / "some" / "39.png").write_bytes(b"broken")
    code, out, err = amiss("export", "--check", "m.onnx", tmp_path / "some")
    assert code == 0
    assert ": 39 images, scores" in out
    assert "skipped 1 file:" in err
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.png").write_bytes(b"")
    code, _, err = amiss("export", "--check", "m.onnx", tmp_path / "none")
    assert code == 2
    assert "none of 1 images could be read: " in err


def test_another_rate_is_exported(amiss, place, tmp_path):
    code, out, _ = amiss(
        "export", "model.safetensors", "-o", tmp_path / "n.onnx", "--fpr", "0.3", "--images", "good", "-q"
    )
    assert code == 0
    assert "at most 30 % false alarms" in out
    session = Session(tmp_path / "n.onnx")
    assert read_facts(session.properties, "n").threshold == fitted(PCA()).set_fpr(0.3).threshold_
