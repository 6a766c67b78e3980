"""AnomalyDetector: scikit-learn's own checks, its signs, how rows become images, pickling, pipelines and searches."""

from __future__ import annotations

import contextlib
import io
import math
import os
import pickle
import pickletools
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from amiss import Detector, InputError
from amiss.artifact.file import to_bytes
from amiss.calibration.conformal import calibration_size
from amiss.contracts import ImageSpec
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.sklearn import FARTHEST, AnomalyDetector, Shaping, auto_rate

PAGE = Path(__file__).parents[1] / "docs" / "sklearn.md"
SHORT = GradCon(epochs=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def digit(n: int) -> np.ndarray:
    x, y = load_digits(return_X_y=True)
    return x[y == n]


def rows(n: int, features: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


@parametrize_with_checks([AnomalyDetector("knn"), AnomalyDetector(SHORT, size=16)])
def test_scikit_learns_own_checks(estimator: AnomalyDetector, check: Callable[[AnomalyDetector], None]) -> None:
    check(estimator)


# Signs


@pytest.mark.parametrize("method", [KNN(), SHORT])
def test_it_is_the_detector_with_signs_turned(method: KNN | GradCon) -> None:
    x = digit(0)
    est = AnomalyDetector(method, image_shape=(8, 8)).fit(x[:100])
    inside = np.concatenate([x[100:], digit(1)[:40]])
    inner = est.detector_
    images = est.shaping_.images(inside)
    scores = inner.decision_function(images)
    assert len(np.unique(scores)) == len(inside)
    np.testing.assert_array_equal(est.score_samples(inside), -scores)
    assert est.offset_ == -inner.threshold_
    np.testing.assert_array_equal(est.decision_function(inside), est.score_samples(inside) - est.offset_)
    labels = inner.predict(images)
    assert set(labels) == {0, 1}
    np.testing.assert_array_equal(est.predict(inside), 1 - 2 * labels)


def test_the_threshold_itself_is_normal() -> None:
    est = AnomalyDetector("knn").fit(rows(60, 9))
    row = rows(1, 9, seed=1)
    est.offset_ = est.score_samples(row)[0]
    assert est.decision_function(row)[0] == 0
    assert est.predict(row)[0] == 1
    est.offset_ = np.nextafter(est.offset_, np.inf)
    assert est.predict(row)[0] == -1


def test_fit_predict_labels_the_rows_of_the_fit() -> None:
    x = rows(60, 9)
    np.testing.assert_array_equal(AnomalyDetector("knn").fit_predict(x), AnomalyDetector("knn").fit(x).predict(x))


# The rate


@given(n=st.integers(2, 5000))
@settings(deadline=None)
def test_the_automatic_rate_is_the_smallest_that_half_of_the_rows_support(n: int) -> None:
    rate = auto_rate(n)
    assert rate == pytest.approx(max(0.05, 1 / (n // 2 + 1)), rel=1e-15)
    assert Fraction(repr(rate)) * (n // 2 + 1) >= 1 or rate == 0.05
    assert 1 <= calibration_size(n, rate) <= n // 2
    if rate > 0.05:
        with pytest.raises(InputError, match="calibration images"):
            calibration_size(n, rate * (1 - 1e-12))


def test_the_rate_in_force() -> None:
    assert AnomalyDetector("knn").fit(rows(20, 4)).fpr_ == pytest.approx(1 / 11, rel=1e-15)
    assert AnomalyDetector("knn").fit(rows(100, 4)).fpr_ == 0.05
    est = AnomalyDetector("knn", fpr=0.25).fit(rows(20, 4))
    assert est.fpr_ == est.detector_.fpr == 0.25
    with pytest.raises(InputError, match=r"fpr=0\.05 needs 19 calibration images"):
        AnomalyDetector("knn", fpr=0.05).fit(rows(20, 4))


@pytest.mark.parametrize("fpr", [None, "high", True, 0.0, 1.0, -0.1, math.nan])
def test_what_is_no_rate_is_refused(fpr: float) -> None:
    with pytest.raises(InputError, match=f"fpr={fpr!r} is not a false-alarm rate"):
        AnomalyDetector("knn", fpr=fpr).fit(rows(20, 4))


def test_calibration_rows_do_not_enter_the_range() -> None:
    x = rows(60, 9)
    x[7] = 100 + np.arange(9)
    calibrated = []
    for seed in range(12):
        est = AnomalyDetector("knn", random_state=seed).fit(x)
        score = -est.score_samples(x[7:8])[0]
        calibrated.append(np.isclose(est.detector_.calibration.scores, score, rtol=1e-6).any())
        assert (est.shaping_.high < 10) == calibrated[-1]
        assert est.shaping_.high in x
        assert est.shaping_.low in x
    assert 0 < sum(calibrated) < 12


# Rows to images


@given(features=st.integers(1, 400), n=st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_a_row_is_scaled_and_padded_to_the_smallest_square(features: int, n: int) -> None:
    x = rows(n, features)
    side = math.ceil(math.sqrt(features))
    shaping = Shaping((1, side, side), ImageSpec(1, side, side), low=-2.0, high=3.0)
    images = shaping.images(x)
    assert images.shape == (n, 1, side, side)
    assert images.dtype == np.float32
    flat = images.reshape(n, side * side)
    np.testing.assert_array_equal(flat[:, :features], ((x + 2) / 5).astype(np.float32))
    assert (flat[:, features:] == 0).all()


@pytest.mark.parametrize(
    ("features", "image_shape", "size", "spec"),
    [
        (1, None, None, (1, 28, 28)),
        (784, None, None, (1, 28, 28)),
        (785, None, None, (1, 32, 32)),
        (1025, None, None, (1, 64, 64)),
        (70_000, None, None, (1, 256, 256)),
        (9, None, 20, (1, 20, 20)),
        (784, (28, 28), None, (1, 28, 28)),
        (40 * 30, (40, 30), None, (1, 28, 28)),
        (3 * 64, (3, 8, 8), None, (3, 28, 28)),
        (3 * 64, (3, 8, 8), 16, (3, 16, 16)),
    ],
)
def test_sizes(features: int, image_shape: tuple[int, ...] | None, size: int | None, spec: tuple[int, ...]) -> None:
    x = rows(6, features)
    est = AnomalyDetector(KNN(k=1), image_shape=image_shape, size=size).fit(x)
    assert est.detector_.layout.spec == ImageSpec(*spec)
    assert est.shaping_.images(x).shape == (6, *spec)


def test_images_keep_their_order_of_axes() -> None:
    x = np.arange(2 * 3 * 4 * 5, dtype=float).reshape(2, -1)
    images = Shaping((3, 4, 5), ImageSpec(3, 4, 5), low=0, high=100).images(x)
    np.testing.assert_allclose(images, x.reshape(2, 3, 4, 5) / 100, rtol=1e-7)


@given(seed=st.integers(0, 1000), factor=st.floats(0.1, 5))
@settings(deadline=None, max_examples=20)
def test_resizing_is_linear_and_keeps_the_range(seed: int, factor: float) -> None:
    x = rows(3, 12, seed)
    shaping = Shaping((1, 3, 4), ImageSpec(1, 28, 28))
    images = shaping.images(x)
    np.testing.assert_allclose(shaping.images(factor * x), factor * images, rtol=1e-4, atol=1e-5)
    assert (images.max((1, 2, 3)) <= x.max(1) + 1e-6).all()
    assert (images.min((1, 2, 3)) >= x.min(1) - 1e-6).all()


def test_scores_do_not_depend_on_a_common_unit() -> None:
    x = rows(60, 9)
    new = rows(20, 9, seed=1)
    a = AnomalyDetector("knn").fit(x).score_samples(new)
    b = AnomalyDetector("knn").fit(1024 * x - 4096).score_samples(1024 * new - 4096)
    assert a.std() > 0
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_chunks_are_the_whole() -> None:
    x = rows(2500, 4)
    shaping = Shaping((1, 2, 2), ImageSpec(1, 4, 4))
    parts = list(shaping.chunks(x))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate(parts), shaping.images(x))


# Values outside of the training range


@pytest.mark.parametrize("method", [KNN(), SHORT, GradCon(epochs=2, variational=True)], ids=["knn", "gradcon", "vae"])
def test_rows_outside_the_training_range_are_scored(method: KNN | GradCon) -> None:
    x = rows(100, 64)
    est = AnomalyDetector(method, image_shape=(8, 8)).fit(x)
    far = np.stack([x[0] + 50, x[0] - 50, x[0] * 1e6, x[0] * 1e200, np.full(64, 1e308), np.full(64, -1e308)])
    scores = est.score_samples(far)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 1


@pytest.mark.parametrize("method", [KNN(), SHORT], ids=["knn", "gradcon"])
def test_further_out_is_more_anomalous(method: KNN | GradCon) -> None:
    x = rows(100, 64)
    est = AnomalyDetector(method, image_shape=(8, 8)).fit(x)
    out = est.score_samples(x[:1] + np.array([[0.0], [10], [30], [100], [300], [1000]]))
    assert (np.diff(out) < 0).all()
    assert (est.predict(np.stack([x[0] + 50, x[0] - 50])) == -1).all()


def test_the_farthest_is_where_values_stop_to_count() -> None:
    shaping = Shaping((1, 1, 2), ImageSpec(1, 1, 2), low=0.0, high=2.0)
    images = shaping.images(np.array([[-1e300, 1e300], [-2 * FARTHEST, 2 * (FARTHEST + 1)], [-2.0, 6.0]]))
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[2].ravel(), [-1, 3])


# Small, constant and repeated rows


@pytest.mark.parametrize(("method", "n"), [(KNN(k=1), 3), (KNN(k=1), 4), (SHORT, 5), (SHORT, 6)])
@pytest.mark.parametrize("features", [1, 2])
def test_few_rows_of_few_features(method: KNN | GradCon, n: int, features: int) -> None:
    est = AnomalyDetector(method, size=16).fit(rows(n, features))
    assert np.isfinite(est.decision_function(rows(3, features, seed=1))).all()
    assert set(est.predict(rows(n, features))) <= {-1, 1}


def test_a_constant_feature_does_no_harm() -> None:
    x = rows(40, 3)
    x[:, 1] = 0.5
    new = rows(10, 3, seed=1)
    assert np.isfinite(AnomalyDetector("knn").fit(x).decision_function(new)).all()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="1 sample"):
        AnomalyDetector("knn").fit(rows(1, 4))
    with pytest.raises(InputError, match="2 images were given: training needs at least 2"):
        AnomalyDetector("knn").fit(rows(2, 4))
    with pytest.raises(InputError, match="4 images were given: training needs at least 2"):
        AnomalyDetector(SHORT).fit(rows(4, 4))


def test_rows_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(InputError, match="1 independent sets"):
        AnomalyDetector("knn").fit(np.zeros((20, 4)))


def test_equal_rows_stay_on_one_side() -> None:
    x = np.repeat(rows(40, 4), 3, axis=0)
    x[::3] = x[::3] + 0.0 * -1
    est = AnomalyDetector(KNN(k=1)).fit(x)
    assert (est.detector_.calibration.scores > 0).all()  # a copy in training would be at distance 0
    assert len(est.detector_.calibration.scores) % 3 == 0


# Input


@pytest.mark.parametrize(
    ("image_shape", "match"),
    [
        ((3, 3), "holds 9 values, and rows have 8"),
        ((8,), "is not"),
        ((1, 1, 2, 4), "is not"),
        ((0, 8), "is not"),
        ((2.0, 4), "is not"),
    ],
)
def test_shapes_that_do_not_fit(image_shape: tuple[int, ...], match: str) -> None:
    with pytest.raises(InputError, match=match):
        AnomalyDetector("knn", image_shape=image_shape).fit(rows(20, 8))


def test_bad_parameters_are_refused_by_fit_alone() -> None:
    for est in (AnomalyDetector("gradkon"), AnomalyDetector("knn", size=0), AnomalyDetector("knn", device="abacus")):
        with pytest.raises(InputError, match=r"gradcon|size 0|device"):
            est.fit(rows(20, 4))


def test_before_a_fit_and_after_a_failed_one() -> None:
    est = AnomalyDetector("knn")
    with pytest.raises(NotFittedError):
        est.predict(rows(2, 4))
    with pytest.raises(InputError):
        est.fit(np.zeros((20, 4)))
    with pytest.raises(NotFittedError):
        est.predict(rows(2, 4))


def test_whole_numbers_are_rows_too() -> None:
    x = digit(0)
    a = AnomalyDetector("knn", image_shape=(8, 8)).fit(x.astype(np.uint8)).score_samples(x.astype(np.int32))
    np.testing.assert_array_equal(a, AnomalyDetector("knn", image_shape=(8, 8)).fit(x).score_samples(x))


@pytest.mark.extra("table")
def test_data_frames() -> None:
    import pandas as pd

    frame = pd.DataFrame(rows(40, 3), columns=["a", "b", "c"])
    est = AnomalyDetector("knn").fit(frame)
    assert list(est.feature_names_in_) == ["a", "b", "c"]
    plain = AnomalyDetector("knn").fit(frame.to_numpy()).score_samples(frame.to_numpy())
    np.testing.assert_array_equal(est.score_samples(frame), plain)
    with pytest.raises(ValueError, match="feature names"):
        est.predict(frame.rename(columns={"a": "d"}))


# Seeds, cloning, pickling


def test_random_state() -> None:
    x, new = rows(60, 4), rows(20, 4, seed=1)

    def scores(random_state: int | np.random.RandomState | None) -> np.ndarray:
        return AnomalyDetector("knn", random_state=random_state).fit(x).score_samples(new)

    np.testing.assert_array_equal(scores(3), scores(3))
    np.testing.assert_array_equal(scores(np.random.RandomState(3)), scores(np.random.RandomState(3)))
    assert not np.array_equal(scores(3), scores(4))
    assert not np.array_equal(scores(None), scores(None))


def test_a_clone_has_the_parameters_and_no_fit() -> None:
    est = AnomalyDetector(KNN(k=3), fpr=0.2, image_shape=(2, 2)).fit(rows(40, 4))
    copy = clone(est)
    assert copy.get_params() == est.get_params()
    assert copy.get_params()["method"] == KNN(k=3)
    assert not hasattr(copy, "detector_")
    assert copy.set_params(method="pca", fpr="auto").method == "pca"


@pytest.mark.parametrize("method", ["knn", SHORT])
def test_a_pickle_is_the_file_and_no_module(method: str | GradCon) -> None:
    est = AnomalyDetector(method, image_shape=(8, 8)).fit(digit(0))
    data = pickle.dumps(est)
    parts = [part for _, part, _ in pickletools.genops(data)]
    assert to_bytes(est.detector_.artifact) in parts
    assert "amiss.sklearn" in parts
    assert not any(isinstance(part, str) and part.startswith(("torch", "amiss.detector")) for part in parts)
    back = pickle.loads(data)
    new = np.concatenate([digit(0)[:20], digit(1)[:20] + 100])
    np.testing.assert_array_equal(back.decision_function(new), est.decision_function(new))
    np.testing.assert_array_equal(back.predict(new), est.predict(new))
    assert pickle.dumps(back) == data


def test_an_altered_pickle_is_refused() -> None:
    est = AnomalyDetector("knn").fit(rows(40, 4))
    state = est.__getstate__()
    model = bytearray(state["detector_"])
    model[-1] ^= 1
    with pytest.raises(InputError, match="altered"):
        AnomalyDetector("knn").__setstate__({**state, "detector_": bytes(model)})


def test_an_unfitted_one_is_pickled_too() -> None:
    assert pickle.loads(pickle.dumps(AnomalyDetector(SHORT))).get_params() == AnomalyDetector(SHORT).get_params()


def test_the_model_can_be_saved_for_the_detector(tmp_path: Path) -> None:
    est = AnomalyDetector("knn", image_shape=(8, 8)).fit(digit(0))
    est.detector_.save(tmp_path / "digits.safetensors")
    images = est.shaping_.images(digit(0)[:30]).clip(0, 1)
    loaded = Detector.load(tmp_path / "digits.safetensors")
    np.testing.assert_array_equal(loaded.predict(images) == 1, est.predict(digit(0)[:30]) == -1)


# In scikit-learn's company


def test_in_a_pipeline_columns_of_any_unit_count() -> None:
    x = rows(100, 2) * [1000.0, 0.001]
    odd = np.array([[0.0, 0.02]])
    assert AnomalyDetector("knn").fit(x).predict(odd)[0] == 1  # one range for all: the small column is not seen
    assert make_pipeline(MinMaxScaler(), AnomalyDetector("knn")).fit(x).predict(odd)[0] == -1


def test_in_a_search_over_methods() -> None:
    x = np.concatenate([digit(4), digit(9)[:60]])
    y = np.repeat([1, 0], [len(digit(4)), 60])
    normal, odd = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    cv = [(normal[:120], np.concatenate([normal[120:], odd])), (normal[60:], np.concatenate([normal[:60], odd]))]
    search = GridSearchCV(
        AnomalyDetector(image_shape=(8, 8)),
        {"method": [KNN(k=1), KNN(k=100)], "size": [8, 16]},
        scoring=lambda est, rows, labels: roc_auc_score(labels, est.score_samples(rows)),
        cv=cv,
        error_score=0.0,
        refit=False,
    )
    with pytest.warns(FitFailedWarning, match="4 fits failed"):  # k=100 asks for more rows than there are
        search.fit(x, y)
    assert search.best_params_["method"] == KNN(k=1)
    assert search.best_score_ > 0.9


def test_in_cross_validation() -> None:
    x = rows(90, 4)
    found = cross_val_predict(AnomalyDetector("knn"), x, cv=KFold(3), method="decision_function")
    for train, test in KFold(3).split(x):
        np.testing.assert_array_equal(found[test], AnomalyDetector("knn").fit(x[train]).decision_function(x[test]))


def test_amiss_does_not_import_it() -> None:
    code = "import sys, amiss; amiss.Detector; raise SystemExit('amiss.sklearn' in sys.modules)"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


# The page


def test_the_pages_example_prints_what_the_page_says() -> None:
    found = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(found[1], str(PAGE), "exec"), {})
    assert out.getvalue() == found[2]


def test_the_page_names_every_parameter() -> None:
    text = PAGE.read_text(encoding="utf-8").split("## Parameters")[1]
    listed = re.findall(r"^\| `(\w+)` \| (\S+)", text, re.MULTILINE)
    defaults = {name: value.strip("`").strip('"') for name, value in listed}
    assert {k: str(v) for k, v in AnomalyDetector().get_params().items()} == {
        k: defaults[k] for k in AnomalyDetector().get_params()
    }
