"""The Open Inference Protocol, as JSON, as bytes, and through a client that others wrote."""

from __future__ import annotations

import importlib.util
import json
import struct

import numpy as np
import pytest
from PIL import Image

from amiss import Detector

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]

COLUMNS = ("pred_score", "p_value", "normal_percentile", "pred_label")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(5).integers(0, 256, (5, 1, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def expected(knn, pixels):
    table = Detector.load(knn).score(pixels)
    assert len(set(table.pred_score)) == 5
    return {name: np.asarray(getattr(table, name)).tolist() for name in COLUMNS}


def tensor(pixels, **more):
    return {"name": "images", "datatype": "UINT8", "shape": list(pixels.shape), **more}


def by_name(outputs):
    return {output["name"]: output["data"] for output in outputs}


def test_the_server_and_its_models_say_what_they_are(server):
    assert server.client.get("/v2").json()["name"] == "amiss"
    assert server.client.get("/v2/health/live").json() == {"live": True}
    assert server.client.get("/v2/health/ready").json() == {"ready": True}
    assert server.client.get("/v2/models/knn/ready").json() == {"name": "knn", "ready": True}
    told = server.client.get("/v2/models/knn").json()
    assert told["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 1, 28, 28]}]
    assert [output["name"] for output in told["outputs"]] == list(COLUMNS)
    assert [output["name"] for output in server.client.get("/v2/models/pca").json()["outputs"]][:1] == ["pred_score"]
    for path in ("/v2/models/none", "/v2/models/none/ready"):
        assert server.client.get(path).status_code == 404


@pytest.mark.parametrize("flat", [True, False])
def test_numbers_in_json_give_the_scores_of_the_library(server, pixels, expected, flat):
    data = pixels.ravel().tolist() if flat else pixels.tolist()
    answer = server.client.post("/v2/models/knn/infer", json={"id": "7", "inputs": [tensor(pixels, data=data)]})
    assert answer.status_code == 200
    assert answer.json()["id"] == "7"
    assert by_name(answer.json()["outputs"]) == expected


def test_bytes_behind_the_json_give_the_same(server, pixels, expected):
    blob = pixels.tobytes()
    asked = {
        "inputs": [tensor(pixels, parameters={"binary_data_size": len(blob)})],
        "outputs": [{"name": "pred_score", "parameters": {"binary_data": True}}],
    }
    head = json.dumps(asked).encode()
    answer = server.client.post(
        "/v2/models/knn/infer", content=head + blob, headers={"Inference-Header-Content-Length": str(len(head))}
    )
    assert answer.status_code == 200
    size = int(answer.headers["Inference-Header-Content-Length"])
    told, body = json.loads(answer.content[:size]), answer.content[size:]
    assert [output["name"] for output in told["outputs"]] == ["pred_score"]
    assert list(struct.unpack("<5d", body)) == expected["pred_score"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "x"}, "accepted is 'images', UINT8"),
        ({"datatype": "FP32"}, "accepted is 'images', UINT8"),
        ({"shape": [5, 1, 28, 27]}, "28, 28"),
        ({"shape": [10**6, 1, 28, 28]}, "images"),
        ({"data": [1, 2, 3]}, ""),
        ({"data": [[["a"]]]}, ""),
        ({"data": None}, ""),
    ],
)
def test_what_is_no_such_tensor_is_refused_in_a_sentence(server, pixels, change, said):
    given = {**tensor(pixels, data=pixels.ravel().tolist()), **change}
    answer = server.client.post("/v2/models/knn/infer", json={"inputs": [given]})
    assert answer.status_code in (400, 413)
    assert said in answer.json()["error"]
    assert "Traceback" not in answer.text


@pytest.mark.skipif(importlib.util.find_spec("tritonclient") is None, reason="needs tritonclient")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("binary", [True, False])
def test_the_protocols_own_client_understands_the_server(server, pixels, expected, binary):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(server.address.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("knn")
    assert client.get_model_metadata("knn")["name"] == "knn"
    given = http.InferInput("images", list(pixels.shape), "UINT8")
    given.set_data_from_numpy(pixels, binary_data=binary)
    wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in COLUMNS]
    found = client.infer("knn", [given], outputs=wanted)
    assert {name: found.as_numpy(name).tolist() for name in COLUMNS} == expected
    client.close()


def test_a_file_and_its_pixels_have_the_same_score(server, pixels, expected, tmp_path):
    Image.fromarray(pixels[2, 0]).save(tmp_path / "two.png")
    (row,) = server.score(tmp_path / "two.png", model="knn").json()["results"]
    assert row["pred_score"] == expected["pred_score"][2]
