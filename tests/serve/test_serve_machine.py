"""A machine that misbehaves: full disk, nowhere to write, a clock that jumps; and the files that deploy the server."""

from __future__ import annotations

import configparser
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

httpx = pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]

DEPLOY = Path(__file__).parents[2] / "deploy"


@contextmanager
def process(model, **settings):
    """`amiss serve` in a process of its own; yields its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "amiss", "serve", str(model), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        **settings,
    ) as running:
        try:
            assert running.stdout is not None
            yield running.stdout.readline().split()[2]
            running.terminate()
            assert running.wait(30) == 0
        finally:
            running.kill()


def write_nothing():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
def test_a_server_writes_no_file_and_a_log_that_is_full_stops_nothing(knn, kinds):
    nowhere = {
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    files = [("files", (path.name, path.read_bytes())) for path in kinds]
    large = [("files", (f"{i}.bmp", kinds[9].read_bytes() + bytes(3_000_000))) for i in range(4)]  # a spool would fill
    with (
        Path("/dev/full").open("w") as full,
        process(knn, stderr=full, preexec_fn=write_nothing, env=os.environ | nowhere) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        for _ in range(2):
            assert client.post("/score", files=files).status_code == 200
            assert client.post("/score", files=large).status_code == 200
            assert client.post("/explain", files=files[:1]).status_code == 200
            assert client.post("/score", files=[("files", ("a.png", b"x"))]).status_code == 422
        assert client.get("/metrics").status_code == 200


def test_a_clock_that_jumps_changes_nothing(knn, kinds, monkeypatch):
    from served import serving

    from amiss.serve.limits import Limits

    with serving(knn, limits=Limits(body_seconds=5, answer_seconds=5)) as server:
        before = server.score(kinds[0]).json()["results"]
        real = time.time
        for jump in (1e8, -1e8, 3600, -3600, 0):
            monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
            assert server.score(kinds[0]).json()["results"] == before
            assert server.client.get("/v2/health/ready").status_code == 200
        waited = time.monotonic()
        knn_model = server.models["knn"]
        reloads = knn_model.reloads
        stamp = knn.stat()
        os.utime(knn, (0, 0))  # a file of 1970, which a clock that was set back would make
        try:
            while knn_model.reloads == reloads:
                assert time.monotonic() < waited + 15
                time.sleep(0.02)
        finally:
            os.utime(knn, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert server.score(kinds[0]).json()["results"] == before


def test_the_unit_stops_after_what_was_accepted_is_answered():
    from amiss.serve.limits import Limits

    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "amiss-serve.service")
    service = unit["Service"]
    assert int(service["TimeoutStopSec"]) > Limits().body_seconds + Limits().answer_seconds
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["LoadCredential"].partition(":")[0] in service["ExecStart"]


def test_the_manifest_is_hardened_and_asks_paths_that_there_are(server):
    yaml = pytest.importorskip("yaml")
    from amiss.serve.limits import Limits

    deployment, *_ = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["terminationGracePeriodSeconds"] > Limits().body_seconds + Limits().answer_seconds + 5
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server.client.get(container[probe]["httpGet"]["path"]).status_code == 200


def test_options_in_the_files_are_options_of_the_command():
    from amiss.cli.options import parse
    from amiss.cli.serve import ServeOptions

    unit = next(line for line in (DEPLOY / "amiss-serve.service").read_text().splitlines() if "ExecStart=" in line)
    words = unit.partition(" serve ")[2].split()
    assert parse(ServeOptions, words, "serve").port == 8000
    image = (DEPLOY / "Containerfile").read_text()
    assert 'ENTRYPOINT ["amiss", "serve", "--host", "0.0.0.0"]' in image
    assert "USER 65532:65532" in image
