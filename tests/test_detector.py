"""The detector: what reaches training, what decides, and that a model file is the same detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from amiss import Detector, InputError, catalog
from amiss.contracts import ImageSpec, Learner, Method, Phase, Scorer
from amiss.data.images import Images
from amiss.data.reading import Reading
from amiss.fitting import fit as fitting
from amiss.methods.gradcon import GradCon

SMALL = GradCon(epochs=1, batch_size=16)


def normals(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random images (N, 28, 28)."""
    coarse = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")
    return (smooth[:, 0] * 255).byte().numpy()


class Spy:
    """Remembers which images the engine was given for what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.train: Images | None = None
        self.held_out: Images | None = None
        self.calibration: Images | None = None
        real_fit, real_score = fitting.fit, fitting.score_images

        def fit(method, spec, train, held_out, **options):
            self.train, self.held_out = train, held_out
            return real_fit(method, spec, train, held_out, **options)

        def score(scorer, images, *rest):
            self.calibration = images
            return real_score(scorer, images, *rest)

        monkeypatch.setattr(fitting, "fit", fit)
        monkeypatch.setattr(fitting, "score_images", score)

    def parts(self) -> list[set[bytes]]:
        assert self.train is not None
        assert self.calibration is not None
        held_out = [] if self.held_out is None else [self.held_out]
        return [set(part.digests().tolist()) for part in (self.train, *held_out, self.calibration)]


@pytest.mark.parametrize("method", ["knn", SMALL])
def test_calibration_images_and_their_copies_never_reach_training(
    monkeypatch: pytest.MonkeyPatch, method: str | GradCon
) -> None:
    spy = Spy(monkeypatch)
    distinct = normals(100)
    Detector(method).fit(np.concatenate([distinct, distinct[:40], distinct[:10]]))
    parts = spy.parts()
    assert sum(map(len, parts)) == len(set().union(*parts)) == 100
    assert len(parts) == (2 if method == "knn" else 3)


def test_images_of_one_group_stand_on_one_side(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    Detector("knn").fit(normals(120), groups=np.repeat(np.arange(40), 3))
    assert spy.train is not None
    assert spy.calibration is not None
    assert spy.train.groups is not None
    assert not set(spy.train.groups.tolist()) & set(spy.calibration.groups.tolist())


def test_decision_follows_the_stored_scores() -> None:
    d = Detector("knn", fpr=0.05).fit(normals(500))
    assert d.calibration.n == 100
    new = normals(200, seed=1)
    scores = d.decision_function(new)
    assert scores.shape == (200,)
    assert d.threshold_ is not None
    np.testing.assert_array_equal(d.predict(new), (scores > d.threshold_).astype(int))
    np.testing.assert_array_equal(d.p_value(new), [(1 + (d.calibration.scores >= s).sum()) / 101 for s in scores])
    assert (d.p_value(new)[d.predict(new) == 1] <= 0.05).all()
    before = d.threshold_
    assert d.set_fpr(0.2).threshold_ < before
    assert d.predict(new).sum() > 0
    assert d.set_threshold(scores.max()).predict(new).sum() == 0
    assert d.set_fpr(0.05).threshold_ == before
    with pytest.raises(InputError, match=r"0\.0099"):
        d.set_fpr(0.005)
    assert d.threshold_ == before


def test_score_table_has_the_columns_of_the_contract() -> None:
    d = Detector("knn").fit(normals(60))
    table = d.score(normals(5, seed=1))
    assert list(table.columns()) == ["image_path", "pred_score", "p_value", "normal_percentile", "pred_label"]
    assert len(table) == 5
    assert [row.image_path for row in table] == ["0", "1", "2", "3", "4"]


def test_without_a_rate_there_are_scores_only(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    d = Detector("knn", fpr=None).fit(normals(30))
    assert spy.train is not None
    assert len(spy.train) == 30
    assert list(d.score(normals(3, seed=1)).columns()) == ["image_path", "pred_score"]
    assert d.threshold_ is None
    with pytest.raises(InputError, match="fpr"):
        d.predict(normals(3))


def test_training_attributes_are_those_of_the_images_given() -> None:
    x = normals(60)
    d = Detector("pca").fit(x)
    np.testing.assert_array_equal(d.decision_scores_, d.decision_function(x))
    np.testing.assert_array_equal(d.labels_, d.predict(x))


@pytest.mark.parametrize("method", ["knn", SMALL])
def test_a_saved_detector_is_the_same_detector(tmp_path: Path, method: str | GradCon) -> None:
    d = Detector(method, random_state=3).fit(normals(80))
    d.save(tmp_path / "m.safetensors")
    loaded = Detector.load(tmp_path / "m.safetensors")
    new = normals(20, seed=1)
    np.testing.assert_array_equal(loaded.decision_function(new), d.decision_function(new))
    assert loaded.threshold_ == d.threshold_
    assert (loaded.fpr, loaded.random_state, loaded.method) == (d.fpr, 3, d.method)
    data = loaded.artifact.record["data"]
    assert isinstance(data, dict)
    assert data["images"] == 80
    assert data["train"] + data["held_out"] + data["calibration"] == 80
    with pytest.raises(InputError, match="after fit only"):
        _ = loaded.decision_scores_


def test_same_seed_same_detector_other_seed_another() -> None:
    x, new = normals(80), normals(10, seed=1)
    first, again, other = (Detector(SMALL, random_state=s).fit(x).decision_function(new) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_folder_is_read_by_its_names_and_noted(tmp_path: Path) -> None:
    for folder, n in (("good", 50), ("scratch", 3)):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(normals(n, seed=len(folder))):
            Image.fromarray(image).save(tmp_path / folder / f"{i}.png")
    d = Detector("knn").fit(tmp_path)
    assert any("good: 50 images, normal" in line for line in d.notes)
    table = d.score(tmp_path / "scratch")
    assert [row.image_path for row in table] == [str(tmp_path / "scratch" / f"{i}.png") for i in range(3)]


def test_an_unfinished_fit_is_continued_only_with_the_same_plan(tmp_path: Path) -> None:
    x = normals(80)
    Detector(SMALL).fit(x, workdir=tmp_path / "w")
    with pytest.raises(InputError, match="--resume"):
        Detector(SMALL).fit(x, workdir=tmp_path / "w")
    with pytest.raises(InputError, match="random state was 0 and is now 1"):
        Detector(SMALL, random_state=1).fit(x, workdir=tmp_path / "w", resume=True)
    with pytest.raises(InputError, match="data was"):
        Detector(SMALL).fit(normals(80, seed=5), workdir=tmp_path / "w", resume=True)
    d = Detector(SMALL).fit(x, workdir=tmp_path / "w", resume=True)
    assert [r["epochs_kept"] for r in d.artifact.record["log"] if r["event"] == "resume"] == [1]


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (normals(1), "1 image was given"),
        (normals(20), "fpr=0.05 needs 19 calibration images"),
        (normals(0), "no images"),
        (np.full((50, 28, 28), np.nan), "nan"),
        (np.full((50, 28, 28), -0.5), "-0.5"),
        (np.full((50, 28, 28), 1.5), "1.5"),
    ],
)
def test_unusable_images_are_refused_in_a_sentence(x: NDArray[np.generic], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Detector("knn").fit(x)


def test_wrong_calls_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="did you mean gradcon"):
        Detector("gradcom")
    with pytest.raises(InputError, match="between 0 and 1"):
        Detector("knn", fpr=1.5)
    with pytest.raises(InputError, match="fpr=low is not a false-alarm rate"):
        Detector("knn", fpr="low")
    with pytest.raises(InputError, match="None is no method"):
        Detector(None)
    for seed in (None, 1.5, "1"):
        with pytest.raises(InputError, match=r"random_state is .* a whole number"):
            Detector("knn", random_state=seed)
    with pytest.raises(InputError, match="precision 'half' is unknown: use float32 or bfloat16"):
        Detector("knn", precision="half")
    with pytest.raises(InputError, match=r"the size 10001 .* from 1 to 10,000"):
        Detector("knn", size=10_001).fit(normals(60))
    with pytest.raises(InputError, match="not fitted"):
        Detector("knn").predict(normals(3))
    with pytest.raises(InputError, match="groups is for arrays"):
        Detector("knn").fit("somewhere", groups=np.zeros(3, dtype=np.int64))
    with pytest.raises(InputError, match="8x8 pixels do not fit"):
        Detector(SMALL, size=8).fit(normals(60))


def test_numbers_of_numpy_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    Detector("knn", fpr=np.float32(0.1), random_state=np.int64(3)).fit(normals(60)).set_fpr(np.float32(0.2)).save(path)
    assert (Detector.load(path).fpr, Detector.load(path).random_state) == (float(np.float32(0.2)), 3)


def test_scoring_refuses_another_channel_count() -> None:
    d = Detector("knn").fit(normals(60))
    with pytest.raises(InputError, match="3 channels"):
        d.score(np.zeros((2, 3, 28, 28), dtype=np.uint8))


def test_reading_says_what_to_group_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    for i, image in enumerate(normals(60)):
        Image.fromarray(image).save(tmp_path / f"scene{i // 3}_{i}.png")
    Detector("knn").fit(tmp_path, reading=Reading(group_by=r"scene(\d+)_"))
    assert spy.calibration is not None
    assert spy.calibration.groups is not None
    assert (np.bincount(spy.calibration.groups)[np.unique(spy.calibration.groups)] == 3).all()


@dataclass(frozen=True)
class Taught(Method):
    """A semi-supervised method: how far an image is from the mean known anomaly, near being anomalous."""

    @property
    def semi_supervised(self) -> bool:
        return True

    def learner(self, spec: ImageSpec, known: torch.Tensor | None = None) -> TaughtLearner:
        return TaughtLearner(spec, known)


class TaughtLearner(Learner):
    def __init__(self, spec: ImageSpec, known: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(spec.pixels) if known is None else known.mean(0).flatten())

    def phases(self) -> Iterator[Phase]:
        yield Phase("look", lambda x: {})

    def scorer(self) -> Scorer:
        return TaughtScorer(self.mean)


class TaughtScorer(Scorer):
    def __init__(self, mean: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -(x.flatten(1) - self.mean).square().mean(1)


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Taught:
    monkeypatch.setattr(catalog, "name_of", lambda method: "taught")
    monkeypatch.setattr(catalog, "to_settings", lambda method: {"method": "taught"})
    return Taught()


def test_known_anomalies_teach_and_take_no_part_in_calibration(taught: Taught) -> None:
    known = normals(8, seed=5)
    fitted = Detector(taught, fpr=0.1).fit(normals(60), known=known)
    expected = torch.as_tensor(known).float().div(255).mean(0).flatten()
    torch.testing.assert_close(fitted.artifact.scorer.mean, expected)
    assert fitted.artifact.record["data"]["known_anomalies"] == 8
    assert fitted.artifact.record["data"]["images"] == 60
    assert fitted.notes[-1] == "8 known anomalies, to learn from"


def test_known_anomalies_are_asked_for_and_refused_in_one_sentence(taught: Taught) -> None:
    with pytest.raises(InputError, match=r"taught learns from known anomalies too: give some, as known= or --known"):
        Detector(taught).fit(normals(60))
    with pytest.raises(InputError, match="learns from normal images only: it cannot use known anomalies"):
        Detector("knn").fit(normals(60), known=normals(3))
    with pytest.raises(InputError, match="holds no images"):
        Detector(taught).fit(normals(60), known=normals(3)[:0])


def test_a_known_anomaly_that_is_also_normal_is_named(taught: Taught) -> None:
    known = normals(8, seed=5)
    known[3] = normals(60)[7]
    with pytest.raises(InputError, match="the known anomaly 3 equals one of the normal images"):
        Detector(taught).fit(normals(60), known=known)


def test_a_fit_is_not_resumed_with_other_known_anomalies(taught: Taught, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int, detail: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Detector(taught).fit(normals(60), known=normals(8, seed=5), workdir=tmp_path / "fit", progress=stop)
    with pytest.raises(InputError, match=r"known anomalies was .* and is now"):
        Detector(taught).fit(normals(60), known=normals(8, seed=6), workdir=tmp_path / "fit", resume=True)
