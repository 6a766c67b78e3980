"""`--report` of amiss score, fit and evaluate: the pages, and what is refused before any work."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_pages import NASTY
from PIL import Image

from amiss.__main__ import main


def smooth(folder, names, seed=0):
    """Write smooth random images of 28 x 28 under these names."""
    coarse = torch.rand(len(names), 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    images = (torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")[:, 0] * 255).byte().numpy()
    folder.mkdir(parents=True)
    for name, image in zip(names, images, strict=True):
        with (folder / name).open("wb") as file:
            Image.fromarray(image).save(file, "PNG")
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with normal images, new ones and a model."""
    monkeypatch.chdir(tmp_path)
    smooth(tmp_path / "good", [f"{i:03}.png" for i in range(60)])
    smooth(tmp_path / "new", [f"{i:03}.png" for i in range(10)], seed=1)
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "new" / "noise.png")
    assert main(["fit", "good", "-o", "m.safetensors", "--method", "pca", "-q"]) == 0
    return tmp_path


def data(page):
    text = Path(page).read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def refused(capsys, *words):
    capsys.readouterr()
    assert main(list(words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("amiss: ")


def test_a_scoring_run_writes_its_page_and_its_table(place, capsys):
    assert main(["score", "m.safetensors", "new", "-o", "s.csv", "--report", "review.html"]) == 0
    assert "report: review.html" in capsys.readouterr().err
    rows = [line.split(",") for line in Path("s.csv").read_text().splitlines()[1:]]
    expected = sorted(rows, key=lambda row: -float(row[1]))
    assert [card[:2] for card in data("review.html")["cards"]] == [row[:2] for row in expected]
    assert data("review.html")["cards"][0] == ["new/noise.png", expected[0][1], "new", 1]


def test_a_fit_writes_its_page(place, capsys):
    words = ["fit", "good", "-o", "n.safetensors", "--method", "pca", "--report", "fit.html", "--report-folds", "2"]
    assert main(words) == 0
    assert "report: fit.html" in capsys.readouterr().out
    cards = data("fit.html")["cards"]
    assert sorted(card[0] for card in cards) == [f"good/{i:03}.png" for i in range(60)]
    assert {card[2] for card in cards} == {"train", "calibration"}
    assert not Path("n.safetensors.fit").exists()


def test_a_measurement_writes_its_page(place, capsys):
    (place / "bad").mkdir()
    (place / "new" / "noise.png").rename(place / "bad" / "noise.png")
    words = ["evaluate", "m.safetensors", "--normal", "new", "--anomalous", "bad", "--report", "e.html"]
    assert main(words) == 0
    text = Path("e.html").read_text(encoding="utf-8")
    assert "Against the labels" in text
    assert {card[2] for card in data("e.html")["cards"]} == {"test"}
    assert 'data-truth="anomalous"' in text


@pytest.mark.parametrize(
    "words",
    [
        ("score", "m.safetensors", "new", "-o", "s.csv"),
        ("fit", "good", "-o", "n.safetensors", "--method", "pca"),
        ("evaluate", "m.safetensors", "--normal", "new", "--anomalous", "good"),
    ],
    ids=lambda words: words[0],
)
def test_a_page_that_cannot_be_written_is_refused_before_any_work(place, capsys, monkeypatch, words):
    Path("there.html").write_text("mine")
    assert "there.html exists: give --overwrite" in refused(capsys, *words, "--report", "there.html")
    assert "must end in .html or .htm" in refused(capsys, *words, "--report", "page.pdf")
    assert "there is no folder" in refused(capsys, *words, "--report", "no/page.html")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert 'pip install "amiss[report]"' in refused(capsys, *words, "--report", "page.html")
    assert Path("there.html").read_text() == "mine"
    assert not Path("s.csv").exists()
    assert not Path("n.safetensors").exists()


def test_folds_below_one_are_refused(place, capsys):
    words = ("fit", "good", "-o", "n.safetensors", "--report", "f.html", "--report-folds", "0")
    assert "--report-folds 0" in refused(capsys, *words)


def test_an_existing_page_is_replaced_with_overwrite(place):
    Path("there.html").write_text("mine")
    assert main(["score", "m.safetensors", "new", "-o", "s.csv", "--report", "there.html", "--overwrite", "-q"]) == 0
    assert len(data("there.html")["cards"]) == 11


def test_files_of_any_name_come_through_exactly(place):
    names = [name for name in NASTY if "/" not in name and len(os.fsencode(name)) <= 255]
    names = [name if name.lower().endswith(".png") else f"{name}.png" for name in names]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"invalid \xff\xfe.png"))
    smooth(place / "odd", names)
    assert main(["score", "m.safetensors", "odd", "-o", "s.csv", "--report", "odd.html", "-q"]) == 0
    assert sorted(card[0] for card in data("odd.html")["cards"]) == sorted(f"odd/{name}" for name in names)
    assert len(re.findall("<script", Path("odd.html").read_text(encoding="utf-8"))) == 2


def test_skipped_files_are_named_on_the_page(place):
    (place / "new" / "broken.png").write_bytes(b"no image")
    assert main(["score", "m.safetensors", "new", "-o", "s.csv", "--report", "r.html", "--on-bad", "skip", "-q"]) == 0
    assert "broken.png" in Path("r.html").read_text(encoding="utf-8")


def test_the_example_of_the_docs_runs(place):
    page = Path(__file__).parents[2] / "docs" / "report.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (place / "photos").mkdir()
    (place / "new").rename(place / "photos" / "new")
    (place / "m.safetensors").rename(place / "bolts.safetensors")
    exec(compile(example, str(page), "exec"), {})
    assert len(data("review.html")["cards"]) == 11
