"""Who may ask, and how much."""

from __future__ import annotations

import pytest

from amiss.contracts import InputError

httpx = pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]

TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module")
def guarded(knn):
    from served import serving

    from amiss.serve.limits import Limits

    limits = Limits(body_mb=0.2, json_mb=0.1, images=3, queue=3, megapixels=0.01)
    with serving(knn, token=TOKEN, limits=limits) as running:
        yield running


def test_without_the_token_nothing_but_health_is_told(guarded):
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        with httpx.Client(base_url=guarded.address, headers=given) as stranger:
            assert stranger.get("/v2/health/live").status_code == 200
            for path in ("/models", "/metrics", "/v2/models/knn", "/openapi.json"):
                answer = stranger.get(path)
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert stranger.post("/score", files=[("files", ("a.png", b"x"))]).status_code == 401
    assert guarded.client.get("/models").status_code == 200


def test_every_answer_has_an_id_and_the_headers_of_security(guarded):
    for path, status in (("/models", 200), ("/none", 404), ("/v2/health/live", 200)):
        answer = guarded.client.get(path)
        assert answer.status_code == status
        assert answer.headers["X-Request-ID"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "server" not in answer.headers


def test_what_is_too_large_is_refused_with_its_limit(guarded, kinds, tmp_path):
    small = kinds[0]
    assert guarded.score(*[small] * 3).status_code == 200
    many = guarded.score(*[small] * 4)
    assert many.status_code in (400, 413)
    assert "3" in many.json()["error"]
    (tmp_path / "big.bin").write_bytes(bytes(300_000))
    large = guarded.score(tmp_path / "big.bin")
    assert large.status_code == 413
    assert "0.2 MB" in large.json()["error"]


def test_pixels_are_counted_before_they_are_decoded(guarded, tmp_path):
    from PIL import Image

    Image.new("L", (101, 100)).save(tmp_path / "wide.png")
    answer = guarded.score(tmp_path / "wide.png")
    assert 400 <= answer.status_code < 500
    assert "wide.png" in answer.text
    assert "0.01 megapixels" in answer.text


def test_a_page_of_another_site_cannot_use_a_server_without_a_token(server):
    assert server.client.get("/models", headers={"Origin": "http://evil.example"}).status_code == 403
    assert server.client.get("/models", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_a_server_for_others_needs_a_token(host):
    from amiss.serve.access import require_safe

    with pytest.raises(InputError, match="--token-file"):
        require_safe(host, None, insecure=False)
    require_safe(host, TOKEN, insecure=False)
    require_safe(host, None, insecure=True)
    require_safe("127.0.0.1", None, insecure=False)


@pytest.mark.parametrize("text", ["short", "with a space inside it", "ümläute-ümläute-ümläute"])
def test_a_poor_token_is_refused(text, tmp_path):
    from amiss.serve.access import read_token

    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="openssl rand"):
        read_token(tmp_path / "token")
