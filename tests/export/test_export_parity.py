"""What a comparison finds and refuses, the unit of differences, the drawn images and the properties; needs no extra."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from amiss import InputError, WorkError
from amiss.calibration.conformal import Calibration
from amiss.data.images import DEPTHS, TOP, Layout
from amiss.export.convert import require_exportable
from amiss.export.drawn import SQUARES, draw
from amiss.export.facts import FORMAT, Facts, read_facts
from amiss.export.parity import Sample, compare
from amiss.export.runtime import Session
from amiss.export.tolerance import BATCHES, TABLE, Scale
from amiss.plain import ImageSpec
from amiss.scores.council import CouncilScorer, Fisher

CALIBRATION = Calibration(np.arange(39.0), 0.1)  # spread 19, threshold just above 35
SCALE = Scale.of(CALIBRATION.scores)
SCORES = np.linspace(0, 60, 400)
IMAGES = Sample(np.zeros((400, 1, 1, 1), np.uint8), SCORES, [f"{i}.png" for i in range(400)], "images")


class Fake:
    """Answers as a file whose scores are off by `error` (400,), and whose other outputs `change` changes."""

    name, version = "model.onnx", "1.0"

    def __init__(self, error=0.0, change=lambda found: found):
        self.scores, self.change, self.sizes = SCORES + error, change, []

    def run_in_batches(self, pixels, size, progress=None):
        assert pixels is IMAGES.pixels
        self.sizes.append(size)
        return self.change(
            {
                "pred_score": self.scores,
                "p_value": CALIBRATION.p_value(self.scores),
                "pred_label": CALIBRATION.predict(self.scores),
            }
        )


def off(by, count=1, at=0):
    """An error (400,) of `count` images, in units of the spread."""
    error = np.zeros(400)
    error[at : at + count] = by * SCALE.spread
    return error


def test_a_file_that_agrees_passes_and_is_on_record():
    session = Fake(off(0.5e-5, 400))
    found = compare(session, IMAGES, CALIBRATION, SCALE, TABLE)
    assert session.sizes == list(BATCHES) == [1, 5, 33]
    assert (found.images, found.beyond, found.near, found.flipped) == (400, 0, 0, 0)
    assert found.largest == pytest.approx(0.5e-5)
    assert json.loads(json.dumps(found.to_json()))["runtime"] == "onnxruntime 1.0"


def test_a_few_images_may_lie_at_a_kink_and_are_counted():
    assert compare(Fake(off(1e-3, 4)), IMAGES, CALIBRATION, SCALE, TABLE).beyond == 4
    with pytest.raises(WorkError, match=r"scores 5 of 400 images otherwise .* accepted are 4: nothing was written"):
        compare(Fake(off(1e-3, 5)), IMAGES, CALIBRATION, SCALE, TABLE)


def test_no_image_may_lie_further_than_the_worst():
    assert compare(Fake(off(0.9 * TABLE.worst)), IMAGES, CALIBRATION, SCALE, TABLE).beyond == 1
    with pytest.raises(WorkError, match=r"model.onnx scores '3.png' otherwise .* by 0.011 of the scores' spread"):
        compare(Fake(off(1.1 * TABLE.worst, at=3)), IMAGES, CALIBRATION, SCALE, TABLE)


def test_where_float32_itself_is_off_by_more_so_may_the_file_be():
    table = TABLE.loosened(1e-4)
    assert table.usual == pytest.approx(4e-4)
    assert compare(Fake(off(3e-4, 400)), IMAGES, CALIBRATION, SCALE, table).tolerance == table.usual
    with pytest.raises(WorkError, match=r"scores \d+ of 400 images otherwise .* more than 0.0004 of"):
        compare(Fake(off(5e-4, 400)), IMAGES, CALIBRATION, SCALE, table)
    assert TABLE.loosened(1e-9) == TABLE
    assert TABLE.loosened(1.0).usual == TABLE.worst


def test_another_label_is_refused_unless_it_is_near_the_threshold():
    at = int(np.flatnonzero(CALIBRATION.threshold < SCORES)[0])
    for distance, refused in ((0.9, False), (1.1, True)):
        moved = SCORES.copy()
        moved[at] = CALIBRATION.threshold + distance * TABLE.usual * SCALE.spread
        images = replace(IMAGES, scores=moved)
        error = moved - SCORES
        error[at] -= 2 * distance * TABLE.usual * SCALE.spread  # the file sees it below the threshold
        if refused:
            with pytest.raises(WorkError, match=rf"labels '{at}.png' otherwise than the model does \(1 of 400"):
                compare(Fake(error), images, CALIBRATION, SCALE, TABLE)
        else:
            found = compare(Fake(error), images, CALIBRATION, SCALE, TABLE)
            assert (found.near, found.flipped) == (1, 1)


@pytest.mark.parametrize("name", ["p_value", "pred_label"])
def test_a_file_whose_parts_contradict_each_other_is_refused(name):
    def wrong(found):
        return {**found, name: np.where(np.arange(400) == 7, 1 - found[name], found[name])}

    with pytest.raises(WorkError, match=f"gives '7.png' a {name} that its own score contradicts"):
        compare(Fake(change=wrong), IMAGES, CALIBRATION, SCALE, TABLE)


def test_a_score_that_is_no_number_is_refused():
    def wrong(found):
        return {**found, "pred_score": np.where(np.arange(400) == 2, np.nan, found["pred_score"])}

    with pytest.raises(WorkError, match=r"gives '2.png' a score that is no number"):
        compare(Fake(change=wrong), IMAGES, CALIBRATION, SCALE, TABLE)


def test_differences_are_in_units_of_the_spread_or_of_the_distance_from_normal_scores():
    assert (SCALE.centre, SCALE.spread) == (19.0, pytest.approx(19.0))
    expected = np.array([19.0, 38.0, 57.0, 219.0])
    assert SCALE.difference(expected + 1, expected).tolist() == pytest.approx([1 / 19, 1 / 19, 1 / 38, 1 / 200])
    flat = Scale(2.0, 0.0)
    assert flat.difference(np.array([2.0, 2.1]), np.array([2.0, 2.0])).tolist() == [0.0, np.inf]
    assert not SCALE.near(expected, None, 1.0).any()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 5, 40)])
def test_drawn_images_are_the_same_everywhere(spec, depth):
    found = draw(spec, depth)
    assert found.shape == (len(SQUARES), spec.channels, spec.height, spec.width)
    assert found.dtype == depth
    assert len(np.unique(found.reshape(len(found), -1), axis=0)) == len(found)
    assert 0 <= found.min() < found.max() <= TOP[depth]
    assert len(np.unique(found[0, 0])) == 1  # one square
    assert len(np.unique(found[-1, 0])) > 20  # noise
    first = [0xD8, 0xA1, 0xC8]  # of "amiss 0", "amiss 1", "amiss 2", by openssl dgst -shake256
    assert (found[[0, 1, 2], 0, 0, 0] * (255 / TOP[depth])).tolist() == pytest.approx(first, rel=1e-6)


FACTS = Facts(
    method={"method": "knn", "k": 5},
    name="knn",
    spec=ImageSpec(1, 28, 28),
    depth="uint8",
    calibration={"images": 39, "median": 19.0, "spread": 0.1},
    fpr=0.1,
    threshold=1 / 3,
    seed=0,
    fingerprint=None,
    source="ab",
    versions={"fit": {"torch": "2"}, "export": {"onnx": "1"}},
    created={"fit": "", "export": "now"},
    drawn=(0.1, 1e-300),
    parity={"images": 3, "tolerance": 1e-5},
)


def test_properties_come_back_exactly():
    properties = FACTS.to_properties()
    assert read_facts({**properties, "other": "no JSON"}, "x.onnx") == FACTS
    assert json.loads(properties["amiss.threshold"]) == 1 / 3


@pytest.mark.parametrize(
    ("key", "text"),
    [("drawn", None), ("format", None), ("format", "[]"), ("spec", "{}"), ("depth", '"int4"'), ("calibration", "{}")],
)
def test_properties_that_are_not_ours_are_refused(key, text):
    properties = FACTS.to_properties()
    if text is None:
        del properties[f"amiss.{key}"]
    else:
        properties[f"amiss.{key}"] = text
    with pytest.raises(InputError, match=r"^x.onnx was not written by amiss export, or it is damaged"):
        read_facts(properties, "x.onnx")


def test_properties_of_a_newer_format_are_refused():
    properties = {**FACTS.to_properties(), "amiss.format": str(FORMAT + 1)}
    with pytest.raises(InputError, match="exported by a newer amiss"):
        read_facts(properties, "x.onnx")


def test_a_missing_extra_is_one_clear_sentence(monkeypatch):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r'^exporting needs onnx: pip install "amiss\[export\]"$'):
        require_exportable(CouncilScorer([], Fisher(), torch.zeros(0, 1), torch.ones(0)), Layout(FACTS.spec, "uint8"))
    with pytest.raises(InputError, match="an ONNX file needs ONNX Runtime: pip install onnxruntime"):
        Session(b"")
