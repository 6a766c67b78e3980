"""Pages of real detectors: what they show, how large they are, and how long they take."""

from __future__ import annotations

import numpy as np
import pytest

from amiss import Detector, InputError
from amiss.data.demo import load_demo
from amiss.report import collect
from amiss.report.assemble import Builder
from amiss.report.explained import brightest
from amiss.report.fitted import fit_page
from amiss.report.render import render, write_page

DEMO = load_demo()
TRAIN = DEMO.train.take(np.arange(200)).numpy()
TEST = DEMO.test.take(np.arange(0, len(DEMO.test), 4)).numpy()
LABELS = DEMO.test_labels[::4]


@pytest.fixture(scope="module")
def pca():
    return Detector("pca", fpr=0.1).fit(TRAIN)


def watched(detector, pixels, labels=None, most=2000):
    builder = Builder(detector, most=most)
    scores = detector.decision_function(pixels)
    for truth in (None,) if labels is None else (0, 1):
        at = np.arange(len(pixels)) if truth is None else np.flatnonzero(labels == truth)
        word = None if truth is None else ("normal", "anomalous")[truth]
        builder.add([f"new/{i}.png" for i in at], scores[at], pixels[at], truth=word)
    return builder, scores


def test_a_review_says_what_the_detector_says(pca):
    builder, scores = watched(pca, TEST)
    page = builder.review("new", model="model.safetensors", notes=["one was skipped"])
    order = np.argsort(-scores, kind="stable")
    assert [card.name for card in page.cards] == [f"new/{i}.png" for i in order]
    for card, i in zip(page.cards, order, strict=True):
        assert card.score == scores[i]
        assert card.p_value == pca.calibration.p_value(scores[i : i + 1])[0]
        assert card.percentile == pca.calibration.normal_percentile(scores[i : i + 1])[0]
        assert card.above == (scores[i] > pca.threshold_)
        assert card.where == "new"
    above = int((scores > pca.threshold_).sum())
    assert page.lead.startswith(f"{above} of {len(TEST)} images lie above the threshold")
    assert page.after == "amiss refit model.safetensors review.csv -o NEW.safetensors"
    assert page.coarse
    render(page)


def test_the_first_images_are_explained_and_all_have_a_neighbour(pca):
    builder, _ = watched(pca, TEST)
    page = builder.review("new")
    roles = [tuple(tile.role for tile in card.tiles) for card in page.cards]
    assert set(roles[: collect.EXPLAINED]) == {("image", "nearest", "counterpart", "map")}
    assert set(roles[collect.EXPLAINED :]) == {("image", "nearest"), ("image", "nearest", "counterpart", "map")}
    near = sum(len(role) == 4 for role in roles[collect.EXPLAINED :])
    assert near <= collect.AROUND
    assert page.scale is not None
    assert page.scale.title == "residual map"
    assert {card.tiles[1].shared for card in page.cards} == set(range(len(page.shared)))
    assert page.warnings == ()


@pytest.mark.parametrize(("method", "title"), [("ocsvm", "gradient map"), ("knn", "residual map")])
def test_other_methods_show_what_they_have(method, title):
    detector = Detector(method, fpr=0.1).fit(TRAIN[:60])
    page = watched(detector, TEST[:30])[0].review("new")
    assert page.scale is not None
    assert page.scale.title == title


def test_a_method_with_neither_counterparts_nor_gradients_shows_what_hiding_changes(pca, monkeypatch):
    monkeypatch.setattr("amiss.report.explained.available", lambda scorer: ("occlusion", "layers"))
    page = watched(pca, TEST[:5])[0].review("new")
    assert page.scale is not None
    assert page.scale.title == "occlusion map"
    assert {tile.role for card in page.cards for tile in card.tiles} == {"image", "nearest", "map"}


def test_a_detector_without_thumbnails_or_decision():
    detector = Detector("pca", fpr=None, keep_images=False).fit(TRAIN[:60])
    page = watched(detector, TEST[:20])[0].review("new")
    assert {tile.role for card in page.cards for tile in card.tiles} == {"image", "counterpart", "map"}
    assert all(card.above is None and card.p_value is None for card in page.cards)
    assert "makes no decision" in page.lead
    assert "above threshold" not in render(page)


@pytest.mark.parametrize("depth", ["uint16", "float32"])
def test_deep_images_are_shown_with_all_their_pictures(depth):
    deep = {"uint16": lambda x: x.astype(np.uint16) * 16, "float32": lambda x: (x / 1000).astype(np.float32)}[depth]
    detector = Detector("pca", fpr=0.1).fit(deep(TRAIN[:60]))
    page = watched(detector, deep(TEST[:20]))[0].review("new")
    assert {tile.role for tile in page.cards[0].tiles} == {"image", "nearest", "counterpart", "map"}
    shown_range = watched(detector, deep(TEST[:20]))[0].collector.window
    assert shown_range.high == pytest.approx(float(deep(np.array([255])).max()), rel=0.1)  # not all of what fits in
    assert page.warnings == ()
    render(page)


def test_labels_bring_the_curves(pca):
    builder, _ = watched(pca, TEST, LABELS)
    page = builder.review("new")
    section = page.sections[0]
    assert [chart.title for chart in section.charts] == ["Scores by label", "ROC curve", "Precision and recall"]
    assert "% of these images lie where the histograms" in section.intro
    assert {fact.term for fact in page.facts} >= {"AUROC", "Images"}
    assert {card.truth for card in page.cards} == {"normal", "anomalous"}


def test_a_page_of_too_many_images_says_so(pca):
    builder, scores = watched(pca, TEST, most=50)
    page = builder.review("new")
    assert len(page.cards) == 50
    assert min(card.score for card in page.cards) == np.sort(scores)[-50]
    assert page.advice == f"Of {len(TEST)} images, the 50 that score highest are shown; charts and counts are of all."


def test_counterparts_that_are_all_alike_are_a_warning(pca, monkeypatch):
    monkeypatch.setattr("amiss.report.explained._counterparts", lambda detector, pixels: np.full_like(pixels, 90))
    page = watched(pca, TEST)[0].review("new")
    assert "all but one picture" in page.warnings[0]
    assert "Look at this first" in render(page)


def test_a_map_is_told_by_where_it_is_brightest():
    values = np.zeros((30, 30))
    values[21:29, 2:8] = 1
    assert brightest(values) == "lower left"
    assert brightest(np.ones((2, 2))) == "upper left"


@pytest.mark.parametrize("folds", [1, 3])
def test_the_page_of_a_fit_finds_the_bad_training_image(folds):
    images = TRAIN[:90].copy()
    images[17] = np.random.default_rng(0).integers(0, 256, images[17].shape)
    detector = Detector("pca", fpr=0.1).fit(images)
    page = fit_page(detector, "photos", model="m.safetensors", folds=folds)
    assert len(page.cards) == 90
    assert {card.where for card in page.cards} == {"train", "calibration"}
    sets = {name: sum(card.where == name for card in page.cards) for name in ("train", "calibration")}
    assert [fact.value for fact in page.facts[:2]] == [str(sets["train"]), str(sets["calibration"])]
    assert (page.cards[0].suspicion is None) == (folds == 1)
    if folds > 1:
        assert page.cards[0].name == "17"
    scores = detector.decision_scores_
    assert all(card.score == scores[int(card.name)] for card in page.cards)
    assert all("nearest kept training image: " + card.name + "," not in card.tiles[1].alt for card in page.cards)


def test_a_loaded_model_has_no_page_of_its_fit(pca, tmp_path):
    pca.save(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="right after it"):
        fit_page(Detector.load(tmp_path / "m.safetensors"), "photos")


def test_two_thousand_large_noisy_images_keep_to_size(tmp_path):
    rng = np.random.default_rng(0)
    normal = rng.integers(0, 256, (40, 3, 128, 128), dtype=np.uint8)
    detector = Detector("pca", fpr=None).fit(normal)
    builder = Builder(detector)
    for start in range(0, 2000, 250):
        pixels = rng.integers(0, 256, (250, 3, 128, 128), dtype=np.uint8)
        builder.add([f"folder/{i:06}.png" for i in range(start, start + 250)], rng.random(250), pixels)
    write_page(builder.review("folder"), tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 2 * 5_000_000
