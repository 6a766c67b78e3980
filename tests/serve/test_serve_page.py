"""The inspection page without a browser: what is served, under which policy, and that nothing of it gets lost."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from amiss.explain.showing import INFERNO

httpx = pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]

FOLDER = files("amiss.serve") / "page"
TOKEN = "0123456789abcdef-token"


@pytest.fixture(scope="module")
def guarded(knn):
    from served import serving

    with serving(knn, token=TOKEN) as running:
        yield running


def test_every_file_of_the_page_is_served_and_no_other(server):
    from amiss.serve.access import PAGE

    assert set(PAGE.values()) == {path.name for path in FOLDER.iterdir()}
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
    for path, name in PAGE.items():
        answer = server.client.get(path)
        assert answer.status_code == 200
        assert answer.content == (FOLDER / name).read_bytes()
        assert answer.headers["Content-Type"] == f"{kinds[name.rpartition('.')[2]]}; charset=utf-8"
        head = server.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
    for path in ("/page", "/page/", "/page/page.html", "/page/../access.py", "/page/%2e%2e/access.py", "/favicon.ico"):
        assert server.client.get(path).status_code == 404, path
    assert server.client.post("/").status_code == 405


def test_the_policy_lets_nothing_run_that_stands_in_the_page(server):
    from amiss.serve.access import PAGE

    for path in PAGE:
        headers = server.client.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' blob: data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Request-ID"]
    assert "script-src" not in server.client.get("/models").headers["Content-Security-Policy"]


def test_only_the_page_itself_needs_no_token(guarded):
    from amiss.serve.access import PAGE

    with httpx.Client(base_url=guarded.address) as stranger:
        for path in PAGE:
            assert stranger.get(path).status_code == 200
        for path in ("/models", "/metrics", "/page/", "/page/none.js", "/page/../models", "/openapi.json"):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post("/score", files=[("files", ("a.png", b"x"))]).status_code == 401


def test_without_a_token_the_page_is_for_its_own_site_alone(server):
    assert server.client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert server.client.get("/page/main.js", headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_page_asks_for_nothing_but_its_own_files():
    from amiss.serve.access import PAGE

    html = (FOLDER / "page.html").read_text(encoding="utf-8")
    asked = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert {path for path in asked if path != "data:,"} == {"page/page.css", "page/main.js"}
    assert not re.search(r"<style|<script(?! type=\"module\" src=)|\son\w+=|\sstyle=", html)
    for name in PAGE.values():
        text = (FOLDER / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")  # a name
        assert not re.search(r"https?://|@import|url\(", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), name
    modules = {name: module_names(name) for name in PAGE.values() if name.endswith(".js")}
    assert set(modules) == {"main.js"}.union(*modules.values())  # every one is used


def module_names(name: str) -> set[str]:
    """Other files that a script is made of."""
    return {found.removeprefix("./") for found in re.findall(r'from "(.*?)"', (FOLDER / name).read_text("utf-8"))}


def test_maps_have_the_colours_of_other_pages():
    found = re.search(r"INFERNO = (\[.*?\n\]);", (FOLDER / "pictures.js").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert json.loads(re.sub(r",\s*\]$", "]", found[1])) == [list(anchor) for anchor in INFERNO]


def test_the_page_is_no_part_of_the_described_interface(server):
    paths = server.client.get("/openapi.json").json()["paths"]
    assert "/score" in paths
    assert not [path for path in paths if path == "/" or path.startswith("/page")]


def test_models_tell_the_limits_that_uploads_have_to_keep_to(server):
    told = server.client.get("/models").json()
    assert (told["body_mb"], told["images"], told["megapixels"]) == (32, 64, 25)


def test_a_wheel_holds_the_page(monkeypatch):
    dist = pytest.importorskip("setuptools.dist")
    root = Path(__file__).parents[2]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("needs the source tree")
    monkeypatch.chdir(root)
    built = dist.Distribution({"script_args": ["build_py"]})
    built.parse_config_files()
    command = built.get_command_obj("build_py")
    command.ensure_finalized()
    command.manifest_files = {}
    held = {Path(path).as_posix() for path in command.find_data_files("amiss", "src/amiss")}
    for path in FOLDER.iterdir():
        assert f"src/amiss/serve/page/{path.name}" in held
