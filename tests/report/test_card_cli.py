"""`amiss card`: the file it writes, what it says on the terminal, and what it refuses before any work."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_pages import NASTY
from test_card_forms import kinds, merged
from test_card_measures import smooth, write

from amiss import Detector
from amiss.__main__ import main
from amiss.calibration.conformal import Calibration
from amiss.contracts import InputError
from amiss.report.card.asked import Asked
from amiss.report.card.make import model_card

TITLES = [
    "What it is for, and how to read a score",
    "Limits",
    "Data",
    "Method",
    "Training",
    "Decision and guarantee",
    "Measured on labelled images",
    "Compared with simple baselines",
    "Robustness to small changes",
    "Sensitivity to conditions",
    "Drift",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("card cli")
    write(root / "good", smooth(120, 0))
    write(root / "normal", smooth(50, 1))
    noise = np.random.default_rng(0).integers(0, 256, (40, 1, 20, 20), dtype=np.uint8)
    write(root / "anomalous", noise)
    Detector("pca").fit(root / "good").save(root / "m.safetensors")
    return root


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


EVIL = [name for name in (NASTY[i] for i in (1, 2, 5, 7, 8, 13)) if "/" not in name] + ["`a`|*b*_c_[d](e).png"]
"""Markup of both kinds, line breaks, and marks that turn text around, in names that a file can have."""
LABELLED = ("--normal", "normal", "--anomalous", "anomalous")


def refused(capsys, *words):
    capsys.readouterr()
    assert main(["card", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("amiss: ")


def test_a_model_alone_gives_a_card_that_says_what_is_left_out(place, capsys):
    assert main(["card", "m.safetensors", "-o", "card.md", "-q"]) == 0
    said = capsys.readouterr()
    text = Path("card.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == TITLES
    assert text.count("*Left out.*") == 5
    assert "at most 1/25 = 4" in text
    assert "24 calibration images and one new normal image are exchangeable" in text
    assert "left out: Measured on labelled images, Compared" in said.out
    assert said.err == "card: card.md\n"


def test_everything_at_once_in_both_forms(place, capsys):
    words = [*LABELLED, "--compare", "--attack", "0.05", "--corruptions", "--drift", "normal"]
    for name in ("card.html", "card.md"):
        assert main(["card", "m.safetensors", "-o", name, *words]) == 0
    out = capsys.readouterr().out
    assert "left out" not in out
    page, text = (Path(name).read_text(encoding="utf-8") for name in ("card.html", "card.md"))
    assert "Left out.</b>" not in page
    assert "*Left out.*" not in text
    auroc = re.search(r"\| AUROC \| ([\d.]+) \|", text)[1]
    assert f"AUROC: {auroc} (" in out
    assert f"<b>{auroc}</b>" in page
    for part in TITLES:
        assert f"<h2>{part}</h2>" in page
    alarms = Detector.load("m.safetensors").predict("normal").sum()
    assert f"{alarms} of 50".replace(" ", "\N{NO-BREAK SPACE}") in text


def test_the_card_of_a_recalibrated_and_refitted_model_tells_so(place, capsys):
    write(place / "other", smooth(45, 7))
    Path("review.csv").write_text("image_path,review\ngood/003.png,anomaly\n")
    assert main(["refit", "m.safetensors", "review.csv", "-o", "n.safetensors", "-q"]) == 0
    assert main(["calibrate", "n.safetensors", "other", "-o", "o.safetensors", "-q"]) == 0
    assert main(["card", "o.safetensors", "-o", "card.md", *LABELLED, "--compare"]) == 0
    text = Path("card.md").read_text(encoding="utf-8")
    assert "fitted anew after a review of its images: 1 image marked anomaly left" in text
    assert "calibrated anew on 45 distinct images of 45 given, in place of 23" in text
    assert "at most 2/46" in text


def test_an_existing_card_is_kept_unless_it_may_be_replaced(place, capsys):
    Path("card.md").write_text("mine")
    assert refused(capsys, "m.safetensors", "-o", "card.md").startswith("card.md exists: give --overwrite")
    assert Path("card.md").read_text() == "mine"
    assert main(["card", "m.safetensors", "-o", "card.md", "--overwrite"]) == 0
    assert Path("card.md").read_text(encoding="utf-8").startswith("# Model card of m.safetensors\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("-o", "card.pdf"), "cannot write a card to card.pdf: its name must end in .html, .htm or .md"),
        (("-o", "no/card.md"), "cannot write no/card.md: there is no folder no"),
        (("-o", "c.md", "--compare"), "--compare measures on labelled images: give --normal and --anomalous"),
        (("-o", "c.md", *LABELLED, "--attack", "a"), "--attack 'a' is not accepted: give numbers from 0 to 1"),
        (("-o", "c.md", *LABELLED, "--attack", "2"), "eps"),
        (("-o", "c.md", "--anomalous", "anomalous"), "--anomalous needs normal images beside them"),
        (("-o", "c.md", "--drift", "nowhere"), "nowhere"),
        (("-o", "c.md", "--train", "good"), "--train says where the training images are, and nothing needs them"),
        (("-o", "c.md", *LABELLED, "--compare", "--train", "normal"), "are not those that the model was fitted on"),
        ((), "is missing"),
    ],
)
def test_a_wrong_call_is_refused_in_one_sentence(place, capsys, words, sentence):
    before = sorted(path.name for path in place.iterdir())
    assert sentence in refused(capsys, "m.safetensors", *words)
    assert sorted(path.name for path in place.iterdir()) == before


def test_names_of_any_kind_stay_names(place):
    plain = "folder"
    bodies = {}
    for i, name in enumerate([plain, *EVIL]):
        folder = place / name
        shutil.copytree(place / "good", folder)
        (folder / f"{name}.png").write_bytes(b"not an image")
        model = place / f"{i}{name}.safetensors"
        assert main(["fit", str(folder), "-o", str(model), "--method", "pca", "--on-bad", "skip", "-q"]) == 0
        assert main(["card", str(model), "-o", f"{i}.md"]) == 0
        assert main(["card", str(model), "-o", f"{i}.html"]) == 0
        bodies[name] = merged(kinds(Path(f"{i}.md").read_text(encoding="utf-8")))
        page = Path(f"{i}.html").read_text(encoding="utf-8")
        assert "<script" not in page
        assert "<img" not in page
    assert all(body == bodies[plain] for body in bodies.values())


def test_a_fit_of_an_array_has_a_card_in_python():
    images = smooth(100, 0)[:, 0]
    detector = Detector("knn").fit(images)
    asked = Asked(normal=smooth(30, 1)[:, 0], anomalous=255 - smooth(30, 2)[:, 0], compare=True, corruptions=True)
    card = model_card(detector, "an array", asked)
    parts = {part.title: part for part in card.parts}
    assert card.title == "Model card of an array"
    rows = parts["Compared with simple baselines"].grids[0].rows
    assert [row[0] for row in rows] == ["knn", "PCA on raw pixels"]
    assert not parts["Sensitivity to conditions"].left_out


def test_labelled_images_that_were_fitted_on_are_named(place):
    detector = Detector.load("m.safetensors")
    card = model_card(detector, "m", Asked(normal="good", anomalous="anomalous", compare=True))
    assert any("120 labelled normal images of 120 equal images" in line for line in card.parts[1].lines)


def test_a_stray_image_is_named(place, capsys):
    Path("normal", "bad.png").write_bytes(b"nothing")
    assert "bad.png" in refused(capsys, "m.safetensors", "-o", "c.md", "--normal", "normal")
    assert main(["card", "m.safetensors", "-o", "c.md", "--normal", "normal", "--on-bad", "skip"]) == 0


def test_a_model_of_tiles_is_refused():
    tiled = SimpleNamespace(calibration=Calibration(np.arange(9.0)), layout=SimpleNamespace(tiling=64))
    with pytest.raises(InputError, match="m cuts images into tiles: cards are made of models that see whole images"):
        model_card(tiled, "m", Asked())


def test_the_examples_of_the_page_run(capsys):
    page = (Path(__file__).parents[2] / "docs" / "card.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        exec(compile(example, "card.md", "exec"), {})
    assert capsys.readouterr().out == "# Model card of T-shirts\n"
