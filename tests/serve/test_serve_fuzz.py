"""A small part of benchmarks/serve_fuzz.py: wrong files and requests get a 4xx, wrong models an InputError."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from amiss.artifact.file import from_bytes
from amiss.contracts import InputError

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]


@pytest.fixture(scope="module")
def hasty(knn, pca):
    """A server that does not wait long for bodies that do not come."""
    from served import serving

    from amiss.serve.limits import Limits

    with serving(knn, pca, limits=Limits(body_seconds=0.3, megapixels=1)) as running:
        yield running


def ask(server, data):
    """The status, or an empty text where the connection was closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with suppress(OSError):  # refused before all was sent
            connection.sendall(data)
        found = b""
        try:
            while b"\r\n" not in found and (part := connection.recv(65536)):
                found += part
        except ConnectionError:
            return ""
    return found[9:12].decode()


def wrong(statuses):
    return {status for status in statuses if not (status in ("", "200") or status.startswith("4"))}


def test_wrong_images_get_a_score_or_a_4xx(hasty):
    import mutated_images
    from bodies import form, request

    files = mutated_images.corpus(7, 80)
    statuses = [ask(hasty, request("/score?model=knn", form([file]))) for file in files]
    assert not wrong(statuses)
    assert {"200", "422"} <= set(statuses)


def test_wrong_requests_get_an_answer_or_a_4xx(hasty):
    import mutated_bodies
    import mutated_images

    cases = mutated_bodies.corpus(7, 80, mutated_images.originals(), "knn", (1, 28, 28))
    statuses = [ask(hasty, data) for _, data in cases]
    assert not wrong(statuses)
    assert {"200", "400", "404", "405", "408", "415", "422"} <= set(statuses)


def test_wrong_model_files_are_refused(knn, pca):
    import mutated_models

    refused = 0
    for _, data in mutated_models.corpus(7, 60, [knn.read_bytes(), pca.read_bytes()]):
        try:
            from_bytes(data)
        except InputError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    "head", [b"GET /models HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 50_000, b"GET /" + b"x" * 200_000]
)
def test_headers_without_an_end_are_not_kept(hasty, head):
    assert ask(hasty, head) == "400"


def test_a_strip_of_a_million_pixels_is_refused_before_it_is_decoded(server):
    import zlib

    import mutated_images

    strip = mutated_images.png(24_000_000, 1, 1, 0, zlib.compress(bytes(3_000_001)))
    answer = server.client.post("/score?model=knn", files=[("files", ("strip.png", strip))])
    assert answer.status_code == 422
    assert "the limit for one side is 1,000,000" in answer.json()["error"]
