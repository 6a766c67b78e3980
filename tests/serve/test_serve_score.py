"""POST /score: the same numbers as `amiss score`, and a sentence for whatever is no image."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss import Detector
from amiss.contracts import ImageSpec
from amiss.data.decode import decode
from amiss.data.images import Layout

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]


@pytest.mark.parametrize("layout", [Layout(ImageSpec(1, 28, 28), "uint8"), Layout(ImageSpec(3, 40, 40), "uint16")])
def test_uploads_are_decoded_bit_for_bit_as_files_are(kinds, layout):
    from amiss.serve.decoding import Upload, decode_uploads

    ours = decode_uploads([Upload(path.name, io.BytesIO(path.read_bytes())) for path in kinds], layout, 10**6)
    theirs = np.stack([decode(str(path), layout) for path in kinds])
    np.testing.assert_array_equal(ours, theirs)
    assert len({image.tobytes() for image in ours}) >= 10  # some kinds hold the same picture


@pytest.mark.parametrize("many", [True, False])
def test_scores_are_bit_for_bit_those_of_the_library(server, knn, kinds, many):
    table = Detector.load(knn).score([str(path) for path in kinds])
    if many:
        rows = server.score(*kinds, model="knn").json()["results"]
    else:
        table = Detector.load(knn).score([str(kinds[2])])
        rows = server.score(kinds[2], model="knn").json()["results"]
    assert [row.pop("image_path") for row in rows] == [Path(path).name for path in table.image_path]
    assert rows == [{k: v for k, v in row._asdict().items() if k != "image_path"} for row in table]
    if many:
        assert len({row["pred_score"] for row in rows}) >= 10


def test_json_is_the_same_as_a_form(server, kinds):
    images = [base64.b64encode(path.read_bytes()).decode() for path in kinds]
    named = server.client.post("/score?model=knn", json={"images": images, "names": [path.name for path in kinds]})
    assert named.json() == server.score(*kinds, model="knn").json()
    assert named.json()["model"] == "knn"
    bare = server.client.post("/score?model=knn", json={"images": images[:2]}).json()["results"]
    assert [row["image_path"] for row in bare] == ["images[0]", "images[1]"]


def test_a_model_without_a_rate_gives_scores_alone(server, kinds):
    row = server.score(kinds[0], model="pca").json()["results"][0]
    assert (row["p_value"], row["normal_percentile"], row["pred_label"]) == (None, None, None)
    assert row["pred_score"] > 0


@pytest.mark.parametrize("name", ["a b.png", "käse.png", "../../etc/passwd", "C:\\x.png", "x" * 1000])
def test_names_come_back_as_they_were_given(server, kinds, name):
    image = base64.b64encode(kinds[0].read_bytes()).decode()
    row = server.client.post("/score?model=knn", json={"images": [image], "names": [name]}).json()["results"][0]
    assert row["image_path"] == name


def test_a_name_that_is_no_text_does_no_harm(server, kinds):
    image = base64.b64encode(kinds[0].read_bytes()).decode()
    body = '{"images": ["' + image + '"], "names": ["\\ud800\\u0000"]}'
    answer = server.client.post("/score?model=knn", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert '"\\ud800\\u0000"' in answer.text


def test_every_bad_file_is_named_with_what_is_accepted(server, kinds):
    files = [("files", ("good.png", kinds[0].read_bytes())), ("files", ("a.txt", b"hello")), ("files", ("b.png", b""))]
    answer = server.client.post("/score?model=knn", files=files)
    assert answer.status_code == 422
    told = answer.json()
    assert told["error"] == (
        "'a.txt' is not an image that can be read; accepted are PNG, JPEG, BMP, TIFF, WEBP (and 1 more of 3 files)"
    )
    assert told["files"][1] == {"index": 2, "image_path": "b.png", "error": "'b.png' is empty (0 bytes)"}


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PPM", "TGA", "ICO"])
def test_other_formats_are_not_opened_whatever_they_are_called(server, kind):
    answer = server.client.post("/score?model=knn", files=[("files", ("image.png", encoded(kind)))])
    assert answer.status_code == 422
    assert "'image.png' is not an image that can be read" in answer.json()["error"]


def test_a_truncated_file_is_refused_and_named(server, kinds):
    whole = kinds[2].read_bytes()
    answer = server.client.post("/score?model=knn", files=[("files", ("cut.png", whole[: len(whole) // 2]))])
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("'cut.png' cannot be decoded, it may be damaged")


BAD_BODIES = {
    "nothing": (b"", "", 415),
    "text": (b"x", "text/plain", 415),
    "an address": (b'{"url": "http://example.org/x.png"}', "application/json", 400),
    "an address as an image": (b'{"images": ["http://example.org/x.png"]}', "application/json", 400),
    "no JSON": (b"{", "application/json", 400),
    "no text": (b"\xff\xfe", "application/json", 400),
    "a list": (b"[]", "application/json", 400),
    "no images": (b'{"images": []}', "application/json", 400),
    "numbers": (b'{"images": [1]}', "application/json", 400),
    "too few names": (b'{"images": ["", ""], "names": ["a"]}', "application/json", 400),
    "too deep": (b"[" * 100_000, "application/json", 400),
    "a long number": (b'{"images": ' + b"1" * 10_000 + b"}", "application/json", 400),
    "no boundary": (b"x", "multipart/form-data", 400),
    "a broken form": (b"--x\r\nhello", "multipart/form-data; boundary=x", 400),
    "a field": (
        b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
        400,
    ),
    "another field": (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nx\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
        400,
    ),
    "a long name": (json.dumps({"images": [""], "names": ["x" * 1001]}).encode(), "application/json", 400),
}


@pytest.mark.parametrize("what", BAD_BODIES)
@pytest.mark.parametrize("path", ["/score", "/explain"])
def test_a_bad_body_is_refused_with_a_sentence(server, what, path):
    body, kind, status = BAD_BODIES[what]
    answer = server.client.post(f"{path}?model=knn", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"error", "request_id"}
    assert told["request_id"] == answer.headers["X-Request-ID"]
    assert "Traceback" not in answer.text
    assert len(told["error"]) < 400


def test_models_are_named_where_there_are_several(server, kinds):
    assert server.score(kinds[0]).status_code == 400
    assert "knn, pca" in server.score(kinds[0]).json()["error"]
    unknown = server.score(kinds[0], model="x")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "there is no model 'x'; there are knn, pca")


OPENED: list[str] = []
sys.addaudithook(
    lambda event, given: OPENED.append(str(given[0])) if event in ("open", "os.stat", "os.listdir") else None
)


def test_no_name_of_a_request_is_looked_for_on_disk(server, kinds):
    bait = kinds[0].resolve()
    OPENED.clear()
    bodies = [(str(bait), kinds[1].read_bytes()), (f"{bait}x", b"no image"), (str(bait), b"")]
    for body in bodies:
        server.client.post("/score?model=knn", files=[("files", body)])
        server.client.post("/explain?model=knn", files=[("files", body)])
    server.client.get(f"/v2/models/{bait}")
    server.client.get("/score", params={"model": str(bait)})
    server.client.get("/%2e%2e/%2e%2e/etc/passwd")
    assert [path for path in OPENED if path.startswith(str(bait)) or "passwd" in path] == []


def pixels_of(address: str) -> np.ndarray:
    """Pixels of a data address of a PNG."""
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_one_image_is_explained(server, knn, kinds):
    answer = server.client.post("/explain?model=knn", files=[("files", ("a.png", kinds[0].read_bytes()))]).json()
    assert answer["result"] == server.score(kinds[0], model="knn").json()["results"][0] | {"image_path": "a.png"}
    values = np.frombuffer(base64.b64decode(answer["map"]["values"]), "<f4")
    assert values.size == answer["map"]["height"] * answer["map"]["width"] == 28 * 28
    assert values.std() > 0
    distances = [one["distance"] for one in answer["nearest"]]
    assert len(set(distances)) == 3
    assert distances == sorted(distances)
    assert 0 < distances[0] < distances[-1] < 1
    known = Detector.load(knn).nearest(np.asarray(Image.open(kinds[0]))[None, None], k=3)
    assert distances == known.distance[0].tolist()
    stored = Detector.load(knn).artifact.thumbnails[known.index[0]]
    assert [pixels_of(one["image"]).tolist() for one in answer["nearest"]] == stored[:, 0].tolist()
    assert pixels_of(answer["image"]).tolist() == np.asarray(Image.open(kinds[0])).tolist()
    other = server.client.post("/explain?model=knn&map=gradient", files=[("files", ("a.png", kinds[0].read_bytes()))])
    assert other.json()["map"]["name"] == "gradient"
    assert other.json()["map"]["values"] != answer["map"]["values"]


def test_a_method_that_reconstructs_shows_the_normal_counterpart(server, pca, kinds):
    answer = server.client.post("/explain?model=pca", files=[("files", ("a.png", kinds[0].read_bytes()))]).json()
    image, made = (pixels_of(answer[name]).astype(np.float64) / 255 for name in ("image", "counterpart"))
    residual = np.frombuffer(base64.b64decode(answer["map"]["values"]), "<f4").reshape(28, 28)
    inside = (made > 0) & (made < 1)  # others are cut off
    assert inside.sum() > 100
    np.testing.assert_allclose(np.abs(image - made)[inside], np.sqrt(residual)[inside], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("depth", ["uint16", "float32"])
def test_deep_images_are_shown_in_the_range_that_they_use(depth):
    from amiss.serve.explaining import _eight_bit, _window

    top = 65535 if depth == "uint16" else 1
    values = (np.linspace(0.2, 0.4, 1024).reshape(1, 1, 32, 32) * top).astype(depth)
    shown = _eight_bit(values[0], _window(values, top))
    assert (shown.min(), shown.max()) == (0, 255)
    flat = np.full((1, 1, 2, 2), 0.4 * top).astype(depth)
    assert _eight_bit(flat[0], _window(flat, top)).tolist() == [[[102, 102], [102, 102]]]


def test_what_cannot_be_explained_is_refused(server, kinds):
    image = ("files", ("a.png", kinds[0].read_bytes()))
    assert server.client.post("/explain?model=knn", files=[image, image]).status_code == 413
    unknown = server.client.post("/explain?model=knn&map=x", files=[image])
    assert unknown.status_code == 400
    assert "this model has" in unknown.json()["error"]


def test_models_tell_how_they_decide(server, knn):
    told = server.client.get("/models").json()
    model = told["models"][0]
    assert (model["name"], model["method"], model["calibration_images"]) == ("knn", "knn", 19)
    assert model["threshold"] == Detector.load(knn).threshold_
    assert (told["models"][1]["threshold"], told["models"][1]["fpr"]) == (None, None)
    assert told["formats"] == ["PNG", "JPEG", "BMP", "TIFF", "WEBP"]


def test_metrics_count_images_and_alarms(server, kinds):
    def read() -> dict[str, float]:
        lines = server.client.get("/metrics").text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    before = read()
    labels = [row["pred_label"] for row in server.score(*kinds, model="knn").json()["results"]]
    after = read()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown['amiss_images_total{model="knn"}'] == len(kinds)
    assert grown['amiss_alarms_total{model="knn"}'] == sum(labels) > 0
    assert grown['amiss_requests_total{method="POST",route="/score",status="200"}'] == 1
    assert grown['amiss_batch_images_sum{model="knn"}'] == len(kinds)
    assert after['amiss_queue_images{model="knn"}'] == 0
    assert after['amiss_drift_p_value{model="knn"}'] == 1
