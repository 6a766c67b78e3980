"""Routing: the folder of an image names its model, and a folder without one is told before anything is scored."""

from __future__ import annotations

import pytest
from small_photos import smooth, write_photos

from amiss import Detector
from amiss.contracts import InputError
from amiss.scale.output import read_scores
from amiss.scale.routing import find_routes, load_routes, route_work
from amiss.scale.scoring import in_process, score_work
from amiss.scale.shards import How


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for seed, name in enumerate(["bolts", "nuts"]):
        Detector("knn", fpr=0.05).fit(smooth(60, seed)).save(folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "new"
    for name in ("bolts", "nuts"):
        write_photos(folder / name, 12, 5)  # the same images, so that only the model can make a difference
    return folder


def test_folders_without_a_model_are_told_before_anything_is_scored(models, data):
    found, unknown = find_routes(models, data)
    assert ([route.name for route in found], unknown) == (["bolts", "nuts"], [])
    for i in range(7):
        write_photos(data / f"x{i}", 1, 0)
    with pytest.raises(InputError, match=r"has no model for x0, x1, x2, x3, x4 and 2 more: .*--skip-unknown"):
        find_routes(models, data)
    found, unknown = find_routes(models, data, skip_unknown=True)
    assert ([route.name for route in found], unknown) == (["bolts", "nuts"], [f"x{i}" for i in range(7)])


def test_what_cannot_be_routed_is_refused(models, data, tmp_path):
    with pytest.raises(InputError, match=r"bolts\.safetensors is no folder: --route-by folder needs one of models"):
        find_routes(models / "bolts.safetensors", data)
    with pytest.raises(InputError, match="has no subfolder with the name of a model"):
        find_routes(models, models)
    (data / "loose.png").touch()
    with pytest.raises(InputError, match=r"loose\.png stands in no subfolder"):
        find_routes(models, data)
    (data / "loose.png").unlink()
    Detector("knn", fpr=None).fit(smooth(30, 1)).save(models / "nuts.safetensors")
    with pytest.raises(InputError, match=r"nuts\.safetensors and .*bolts\.safetensors differ in what they tell"):
        load_routes(find_routes(models, data)[0], fpr=None, device="cpu")
    with pytest.raises(InputError, match=r"\.safetensors: .*"):
        load_routes(find_routes(models, data)[0], fpr=0.001, device="cpu")


@pytest.mark.extra("table")
def test_each_image_is_scored_by_the_model_of_its_folder(models, data, tmp_path):
    routes, _ = find_routes(models, data)
    work = route_work(routes, load_routes(routes, fpr=0.1, device="cpu"), 5)
    outcome = score_work(work, tmp_path / "out", in_process, How(), False, False, lambda *_: None)
    table = read_scores(tmp_path / "out")
    assert list(table.columns()) == [
        "image_path",
        "pred_score",
        "p_value",
        "normal_percentile",
        "pred_label",
        "model",
    ]
    scores = {}
    for name in ("bolts", "nuts"):
        wanted = Detector.load(models / f"{name}.safetensors").set_fpr(0.1).score(data / name)
        rows = [i for i, model in enumerate(table.model) if model == name]
        assert [table.image_path[i] for i in rows] == wanted.image_path
        assert table.pred_score[rows].tolist() == pytest.approx(wanted.pred_score.tolist(), rel=1e-5)
        assert table.pred_label[rows].tolist() == wanted.pred_label.tolist()
        assert outcome.by_model[name] == (wanted.pred_label.sum(), 12)
        scores[name] = wanted.pred_score
    assert (scores["bolts"] != scores["nuts"]).all()
    assert (outcome.shards, outcome.images) == (6, 24)
