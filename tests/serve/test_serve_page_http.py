"""Every line of curl in docs/http.md does what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [
    pytest.mark.extra("serve"),
    pytest.mark.xdist_group("serve"),
    pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash"),
]

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S) for line in block.splitlines() if line
]


@pytest.fixture(scope="module")
def folder(knn, pca, kinds, tmp_path_factory):
    """Two images, and a server of two models."""
    from served import serving

    path = tmp_path_factory.mktemp("page")
    for name, kind in (("000.png", kinds[0]), ("001.png", kinds[1])):
        shutil.copyfile(kind, path / name)
    for name, model in (("bolts", knn), ("washers", pca)):
        shutil.copyfile(model, path / f"{name}.safetensors")
    with serving(path / "bolts.safetensors", path / "washers.safetensors") as server:
        yield path, server


def test_there_are_lines_to_run():
    assert len(LINES) > 20
    assert all("curl" in line and "localhost:8000" in line for line in LINES)


@pytest.mark.parametrize("line", LINES)
def test_a_line_gets_what_the_page_says(folder, line):
    path, server = folder
    command, _, status = line.partition("  # ")
    if status:
        command = command.replace("curl -sS ", "curl -sS -o answer -w '%{http_code}' ")
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("localhost:8000", f"localhost:{server.port}")],
        cwd=path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert (found.stdout == status) if status else found.stdout
    if status:
        assert '"error"' in (path / "answer").read_text()
