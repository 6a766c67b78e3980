"""Exported files: every method decides in ONNX Runtime as in torch, and what would not is not written."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from exporting import FPR, SPEC, fitted, light, remembered, samples, structure

from amiss import Detector, InputError, WorkError, catalog, methods
from amiss.calibration.conformal import Calibration
from amiss.contracts import ImageSpec
from amiss.data.images import Layout
from amiss.engine.scoring import score_images
from amiss.explain.maps import available
from amiss.explain.residual import residual
from amiss.export import write
from amiss.export.convert import quiet
from amiss.export.graph import Decision
from amiss.export.runtime import Session
from amiss.export.translations import translations
from amiss.export.write import export_onnx
from amiss.methods.council import Council
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.scores.council import Minimum, Stouffer
from amiss.transforms.tiles import Tiling
from amiss.transforms.unit import to_unit
from faulty import Faulty
from tiny import tiny

pytestmark = pytest.mark.extra("export")

OWN = [name for name in catalog.names() if type(catalog.load(name)).__module__.startswith(methods.__name__ + ".")]
CONVERT = remembered(write.to_onnx)
PICTURES = samples(SPEC, "uint8").test


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def not_twice(monkeypatch):
    monkeypatch.setattr(write, "to_onnx", CONVERT)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where a file is written and nothing else is; its images."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(PICTURES.take(np.arange(len(PICTURES))).numpy()[:, 0]):
        save(image, folder / f"{i:02}.png")
    return tmp_path / "out", folder


def save(image, path):
    from PIL import Image

    Image.fromarray(image).save(path)


@cache
def kept(key: str) -> list[bytes]:
    """Room for the file of scorers with one structure."""
    return []


def exported(detector: Detector, tmp_path) -> bytes:
    """The file of a detector, by way of the images in its layout."""
    path = tmp_path / "model.onnx"
    pixels = samples(detector.layout.spec, detector.layout.depth).held_out
    thumbnails = None
    if detector.layout.depth == "uint8":
        thumbnails = pixels.take(np.arange(30)).numpy()
    record = {**detector.artifact.record, "thumbnails": [f"{i}.png" for i in range(30)]}
    detector = Detector.of(replace(detector.artifact, thumbnails=thumbnails, record=record), device="cpu")
    export_onnx(detector, path)
    return path.read_bytes()


def require_alike(detector: Detector, content: bytes) -> None:
    """Scores, p-values, labels and maps of normal and anomalous images, in batches of 1, 5 and 33 and all at once."""
    session = Session(content, "model.onnx")
    images = samples(detector.layout.spec, detector.layout.depth).test
    x = images.take(np.arange(len(images)))
    wanted = score_images(detector.artifact.scorer, images)
    spread = np.ptp(wanted)
    assert spread > 0
    for size in (1, 5, 33, len(images)):
        found = session.run_in_batches(x.numpy(), size)
        apart = np.abs(found["pred_score"] - wanted) / spread
        assert np.sort(apart)[-2] < 1e-5  # one image may lie at a kink
        assert apart.max() < 1e-3
        assert np.array_equal(found["p_value"], detector.calibration.p_value(found["pred_score"]))
        assert np.array_equal(found["pred_label"], detector.calibration.predict(found["pred_score"]))
        assert ("anomaly_map" in found) == ("residual" in available(detector.artifact.scorer))
        if "anomaly_map" in found:
            maps = residual(detector.artifact.scorer, to_unit(x)).numpy()
            assert found["anomaly_map"].shape == maps.shape
            np.testing.assert_allclose(found["anomaly_map"], maps, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(catalog.family(catalog.load(name)))) for name in OWN]
)
def test_every_method_and_preset_decides_alike(name, tmp_path):
    """One file stands for all presets whose graphs are the same but for the weights."""
    scorer = tiny(light(catalog.load(name))).learner(SPEC).scorer()
    assert scorer.exportable
    done = kept(structure(scorer))
    if not done:
        detector = fitted(name)
        done.append(exported(detector, tmp_path))
        require_alike(detector, done[0])
    assert Session(done[0], name).outputs[:3] == ("pred_score", "p_value", "pred_label")


@pytest.mark.parametrize("depth", ["uint16", "float32"])
@pytest.mark.parametrize(("name", "spec"), [("cae", ImageSpec(3, 32, 16)), ("pca", ImageSpec(3, 17, 40))])
def test_every_depth_and_shape_decides_alike(name, spec, depth, tmp_path, monkeypatch):
    detector = fitted(name, spec, depth)
    images = samples(spec, depth).held_out
    monkeypatch.setattr(
        write,
        "find",
        lambda *_: write.Sample(
            images.take(np.arange(40)).numpy(), score_images(detector.artifact.scorer, images)[:40], [""] * 40, "images"
        ),
    )
    export_onnx(detector, tmp_path / "m.onnx")
    require_alike(detector, (tmp_path / "m.onnx").read_bytes())


def test_a_file_says_what_the_model_file_says(places):
    out, images = places
    detector = fitted(PCA())
    path = out.with_suffix(".onnx")
    found = export_onnx(detector, str(path), images=images)
    import onnx

    model = onnx.load(path)
    told = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert told["amiss.method"] == {"method": "pca", "components": 0.95, "reference": 10_000, "side": 32}
    assert told["amiss.spec"] == {"channels": 1, "height": 28, "width": 28}
    assert (told["amiss.fpr"], told["amiss.threshold"], told["amiss.seed"]) == (FPR, detector.threshold_, 0)
    assert (told["amiss.fingerprint"], told["amiss.created"]["fit"]) == ("ff", "then")
    assert told["amiss.calibration"]["images"] == 60
    assert told["amiss.parity"]["what"] == "given images"
    assert told["amiss.parity"]["images"] == found.parity.images == 40
    assert {"torch", "onnx", "onnxruntime"} <= set(told["amiss.versions"]["export"])
    assert str(images) not in str(told)  # no path of this machine
    (given,) = model.graph.input
    assert (given.name, given.type.tensor_type.elem_type) == ("images", onnx.TensorProto.UINT8)
    sizes = [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
    assert sizes == ["N", 1, 28, 28]
    assert model.producer_name == "amiss"


def test_without_calibration_or_reconstruction_there_are_scores_alone(places):
    out, images = places
    detector = fitted("kde", fpr=None)
    found = export_onnx(detector, out.with_suffix(".onnx"), images=images)
    assert found.outputs == ("pred_score",)
    assert found.facts.scale.spread > 0  # of the compared images, since there are no others


def test_a_threshold_set_by_hand_is_exported(places):
    out, images = places
    detector = fitted(PCA()).set_threshold(0.01)
    found = export_onnx(detector, out.with_suffix(".onnx"), images=images)
    assert found.facts.threshold == 0.01
    assert found.outputs == ("pred_score", "p_value", "pred_label", "anomaly_map")


class Shifted(Decision):
    """Scores a little higher once it is traced."""

    def forward(self, images):
        score, *others = super().forward(images)
        return score * (1 + 2e-2 * torch.compiler.is_exporting()), *others


@pytest.mark.parametrize("what", ["scores", "labels"])
def test_what_would_decide_otherwise_is_not_written(what, places, monkeypatch):
    out, images = places
    detector = fitted(PCA())
    other = detector.calibration
    middle = float(np.median(score_images(detector.artifact.scorer, PICTURES)))

    def made(scorer, calibration, *, maps):
        if what == "scores":
            return Shifted(scorer, calibration, maps=maps)
        return Decision(scorer, Calibration(other.scores, None, middle), maps=maps)

    monkeypatch.setattr(write, "Decision", made)
    with pytest.raises(WorkError, match=r"contradicts|otherwise than the model does"):
        export_onnx(detector, out / "m.onnx", images=images)
    assert not out.exists()


def test_an_old_file_stays_where_the_new_one_would_decide_otherwise(places, monkeypatch):
    _, images = places
    path = images.parent / "m.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr(write, "Decision", Shifted)
    with pytest.raises(WorkError):
        export_onnx(fitted(PCA()), path, images=images)
    assert path.read_bytes() == b"old"
    assert [p.name for p in images.parent.iterdir() if p.is_file()] == ["m.onnx"]


def test_what_cannot_be_exported_is_refused_and_says_why(tmp_path):
    declared = fitted(Faulty("does not export and says so"), ImageSpec(1, 12, 12))
    with pytest.raises(InputError, match=r"the score of FaultyScorer cannot be exported: it declares itself"):
        export_onnx(declared, tmp_path / "m.onnx")
    tiled = fitted(PCA())
    layout = Layout(SPEC, "uint8", Tiling(28, 14))
    with pytest.raises(InputError, match="a model that cuts images into tiles cannot be exported"):
        export_onnx(Detector.of(replace(tiled.artifact, layout=layout)), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="not fitted"):
        export_onnx(Detector("pca"), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_scorer_that_cannot_be_converted_fails_in_one_sentence(places):
    out, images = places
    lying = fitted(Faulty("does not export"))
    with pytest.raises(WorkError, match=r"^the score of FaultyScorer could not be converted: [^\n]*$"):
        export_onnx(lying, out.with_suffix(".onnx"), images=images)
    assert not out.with_suffix(".onnx").exists()


def test_it_is_compared_on_the_images_that_calibrated(tmp_path, places):
    _, images = places
    detector = Detector("pca", fpr=0.2).fit(images)
    found = export_onnx(detector, tmp_path / "m.onnx").parity
    assert (found.what, found.images) == ("calibration images", detector.calibration.n)
    for path in images.iterdir():
        path.unlink()
    images.rmdir()
    found = export_onnx(detector, tmp_path / "m.onnx").parity
    assert (found.what, found.images) == ("thumbnails of training images", 32)
    forgetful = Detector.of(replace(detector.artifact, thumbnails=None))
    with pytest.raises(InputError, match="as --images DIR or images="):
        export_onnx(forgetful, tmp_path / "m.onnx")


def test_other_images_where_those_of_the_fit_were_will_do(tmp_path, places):
    _, images = places
    detector = Detector("pca", fpr=0.2).fit(images)
    for i, path in enumerate(sorted(images.iterdir())):
        save(np.full((28, 28), 5 * i, np.uint8), path)
    (images / "00.png").write_bytes(b"broken")
    found = export_onnx(detector, tmp_path / "m.onnx").parity
    assert (found.what, found.images) == ("images of the fit", 39)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logarithms_keep_small_and_large_values(dtype):
    class Logs(torch.nn.Module):
        def forward(self, x):
            return torch.log1p(x.exp()), torch.nn.functional.logsigmoid(x)

    x = torch.tensor([-700.0, -95, -40, -17, -1, -1e-9, 0, 1e-9, 1, 17, 80], dtype=dtype)
    with quiet():
        program = torch.onnx.export(
            Logs().eval(), (x,), dynamo=True, verbose=False, optimize=False, custom_translation_table=translations()
        )
    import onnxruntime

    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    exact = x.double().numpy()
    tiny_ones = np.exp(exact) >= np.finfo(np.float32).tiny if dtype == torch.float32 else exact > -701
    np.testing.assert_allclose(first[tiny_ones], np.logaddexp(0, exact)[tiny_ones], rtol=3e-7)
    np.testing.assert_allclose(second, -np.logaddexp(0, -exact), rtol=3e-7, atol=1e-37)


@pytest.mark.parametrize("combination", [Stouffer(), Minimum()])
def test_every_other_combination_of_a_council_decides_alike(combination, tmp_path):
    detector = fitted(Council((PCA(), KNN(k=2)), combination))
    require_alike(detector, exported(detector, tmp_path))
