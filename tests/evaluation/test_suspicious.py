"""Suspicious training images: scored by fits that did not see them, copies and groups in one fold."""

from __future__ import annotations

import numpy as np
import pytest

from amiss import Detector, InputError
from amiss.data.images import Images
from amiss.engine.runtime import Runtime, derive
from amiss.evaluation.suspicious import _folds, suspicion
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN


def dirty(n=40, bad=4):
    """Grey images around one level, the last of them brighter."""
    rng = np.random.default_rng(0)
    level = np.r_[np.full(n - bad, 60), np.full(bad, 160)][:, None, None, None]
    return Images((level + rng.integers(-20, 21, (n, 1, 28, 28))).astype(np.uint8))


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_planted_images_come_first(folds):
    scores = suspicion(KNN(k=8), dirty(), folds=folds)
    assert scores.shape == (40,)
    assert set(np.argsort(-scores)[:4]) == {36, 37, 38, 39}


def test_out_of_fold_scores_are_those_of_fits_on_the_other_folds():
    images = dirty(30)
    scores = suspicion(KNN(k=3), images, folds=3, runtime=Runtime(seed=4))
    fold = _folds(images, 3, derive(4, "folds"))
    assert np.bincount(fold).tolist() == [10, 10, 10]
    flat = images.take(np.arange(30)).numpy().reshape(30, -1) / 255
    for k in range(3):
        inside, outside = flat[fold == k], flat[fold != k]
        distance = np.sort(np.linalg.norm(inside[:, None] - outside[None], axis=2))[:, 2]
        above = distance - np.median(distance)
        np.testing.assert_allclose(scores[fold == k], above / np.median(np.abs(above)), rtol=1e-3, atol=1e-4)


def test_one_fold_is_fooled_where_images_are_learnt_by_heart_and_more_are_not():
    images = dirty(40, 1)
    assert suspicion(KNN(k=1), images, folds=1)[39] == pytest.approx(0, abs=1e-6)  # its own nearest
    assert np.argmax(suspicion(KNN(k=1), images, folds=5)) == 39


def test_copies_and_groups_stay_in_one_fold():
    pixels = dirty(20).take(np.arange(20)).numpy()
    pixels[7] = pixels[3]
    fold = _folds(Images(pixels, groups=np.arange(20) // 2), 4, 0)
    assert fold[7] == fold[3] == fold[2] == fold[6]
    assert set(fold) == {0, 1, 2, 3}
    for folds in (0, 10):
        with pytest.raises(InputError, match=f"{folds} folds were asked for: 1 to 9 are possible"):
            _folds(Images(pixels, groups=np.arange(20) // 2), folds, 0)


def test_a_method_that_selects_holds_out_within_each_fit():
    scores = suspicion(GradCon(epochs=1, batch_size=8), dirty(), folds=2)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


def test_a_detector_ranks_a_folder_or_an_array_and_stays_as_it_was():
    images = dirty()
    detector = Detector(KNN(k=8))
    table = detector.suspicious(images.take(np.arange(40)).numpy(), folds=4)
    assert set(table.image_path[:4]) == {"36", "37", "38", "39"}
    assert (np.diff(table.pred_score) <= 0).all()
    assert table.p_value is None
    with pytest.raises(InputError, match="not fitted"):
        _ = detector.artifact
    with pytest.raises(InputError, match="learns from known anomalies too"):
        Detector("ama_semi").suspicious(images.take(np.arange(40)).numpy())
