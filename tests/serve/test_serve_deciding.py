"""`amiss serve --fpr` and `--threshold`: one decision for all models, as `amiss score` makes it."""

from __future__ import annotations

import shutil
import time

import pytest

from amiss import Detector
from amiss.contracts import InputError

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]


def labels(server, files, model=None):
    return [row["pred_label"] for row in server.score(*files, model=model).json()["results"]]


@pytest.mark.parametrize("given", [{"fpr": 0.4}, {"threshold": 0.01}])
def test_labels_are_those_of_score_with_the_same_option(knn, kinds, given):
    from served import serving

    from amiss.serve.loaded import Decision

    detector = Detector.load(knn)
    before = detector.predict([str(path) for path in kinds]).tolist()
    detector = detector.set_fpr(0.4) if "fpr" in given else detector.set_threshold(0.01)
    wanted = detector.predict([str(path) for path in kinds]).tolist()
    with serving(knn, decision=Decision(**given)) as server:
        assert labels(server, kinds) == wanted
        (told,) = server.client.get("/models").json()["models"]
    assert (told["fpr"], told["threshold"]) == (given.get("fpr"), detector.threshold_)
    assert told["decision"] == "server"
    assert wanted != before or "fpr" in given


def test_without_either_the_file_decides(server):
    assert {model["decision"] for model in server.client.get("/models").json()["models"]} == {"model"}


def test_a_threshold_lets_a_model_decide_that_has_no_rate(pca, kinds):
    from served import serving

    from amiss.serve.loaded import Decision

    with serving(pca, decision=Decision(threshold=0.0)) as server:
        assert labels(server, kinds[:3]) == [1, 1, 1]


def test_a_rate_that_the_calibration_does_not_support_is_refused_and_names_the_file(knn, pca):
    from amiss.serve.loaded import Decision, load_file
    from amiss.serve.rolling import DriftOptions

    for path, reason in ((knn, "needs 999 calibration images and there are 19"), (pca, "none were kept")):
        with pytest.raises(InputError, match=reason) as raised:
            load_file(path, "cpu", DriftOptions(), Decision(fpr=0.001))
        assert str(path) in str(raised.value)


def test_a_replaced_file_is_decided_on_likewise(knn, kinds, tmp_path):
    from served import serving

    from amiss.serve.loaded import Decision

    path = tmp_path / "bolts.safetensors"
    shutil.copyfile(knn, path)
    with serving(path, decision=Decision(threshold=0.0)) as server:
        assert labels(server, kinds[:2]) == [1, 1]
        Detector.load(knn).set_threshold(1e6).save(tmp_path / "new")
        (tmp_path / "new").replace(path)
        until = time.monotonic() + 15
        while not server.models["bolts"].reloads:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert labels(server, kinds[:2]) == [1, 1]


def test_both_at_once_are_refused(knn):
    from amiss.cli.serve import main

    with pytest.raises(InputError, match="give one of them"):
        main([str(knn), "--fpr", "0.1", "--threshold", "1"])
