"""What may go wrong while a server runs: a scorer that fails, a file that is replaced, a signal under load."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from amiss import Detector

httpx = pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]


class Sums:
    """Scores images by their sum, slowly, and fails at the value 255."""

    def __init__(self):
        self.batches = []
        self.go = threading.Event()

    def score(self, pixels):
        self.go.wait(10)
        self.batches.append(len(pixels))
        if (pixels == 255).any():
            raise ValueError("255")
        return pixels.reshape(len(pixels), -1).sum(1).astype(np.float64)


def images(*values):
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


@pytest.fixture
def batcher():
    from amiss.serve.batching import Batcher

    made = Batcher("test", most=4, wait=0.0, expected=lambda: 0, scored=lambda *_: None)
    yield made
    made.close()


def test_what_waits_is_scored_together_up_to_the_largest_batch(batcher):
    sums = Sums()
    first = batcher.submit(sums, images(1))
    time.sleep(0.05)  # the thread has taken it, and waits
    rest = [batcher.submit(sums, images(value)) for value in range(2, 9)]
    sums.go.set()
    assert first.result(5).tolist() == [1]
    assert [future.result(5).tolist() for future in rest] == [[value] for value in range(2, 9)]
    assert sum(sums.batches) == 8
    assert max(sums.batches) == 4


def test_one_request_that_fails_does_not_spoil_the_others_of_its_batch(batcher):
    sums = Sums()
    blocker = batcher.submit(sums, images(0))
    time.sleep(0.05)
    good, bad, also = (batcher.submit(sums, images(*values)) for values in ((1, 2), (255,), (3,)))
    sums.go.set()
    assert blocker.result(5).tolist() == [0]
    assert good.result(5).tolist() == [1, 2]
    assert also.result(5).tolist() == [3]
    with pytest.raises(ValueError, match="255"):
        bad.result(5)
    assert batcher.submit(sums, images(9)).result(5).tolist() == [9]


def test_closing_finishes_what_was_accepted(batcher):
    sums = Sums()
    futures = [batcher.submit(sums, images(value)) for value in range(6)]
    threading.Timer(0.1, sums.go.set).start()
    batcher.close()
    assert [future.result(0).tolist() for future in futures] == [[value] for value in range(6)]
    with pytest.raises(RuntimeError, match="stopping"):
        batcher.submit(sums, images(1))


def wait_for(what, seconds=15.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_replaced_file_is_taken_and_garbage_is_not(knn, kinds, tmp_path):
    from served import serving

    path = tmp_path / "bolts.safetensors"
    shutil.copyfile(knn, path)
    other = Detector.load(knn)
    with serving(path) as server:

        def score():
            answer = server.score(kinds[0])
            assert answer.status_code == 200
            return answer.json()["results"][0]

        before = score()
        broken = tmp_path / "broken"
        broken.write_bytes(b"garbage" * 1000)
        broken.replace(path)
        for _ in range(10):
            time.sleep(0.03)
            assert score() == before
        assert before["pred_label"] == 1
        other.set_threshold(1e6).save(tmp_path / "new")
        (tmp_path / "new").replace(path)
        wait_for(lambda: score()["pred_label"] == 0)
        assert score()["pred_score"] == before["pred_score"]


def test_a_queue_that_is_full_says_when_to_come_back(knn, kinds):
    from served import serving

    from amiss.serve.limits import Limits

    with serving(knn, limits=Limits(images=1, queue=1)) as server, ThreadPoolExecutor(16) as clients:
        entered, leave = threading.Event(), threading.Event()

        def block():
            entered.set()
            leave.wait(20)

        blocked = server.models["knn"]._batcher.call(block)
        assert entered.wait(10)
        waiting = clients.submit(server.score, kinds[0])
        wait_for(lambda: server.models["knn"].held == 1)
        refused = server.score(kinds[1])
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        leave.set()
        blocked.result(10)
        assert waiting.result(20).status_code == 200
        assert server.score(kinds[1]).status_code == 200


def post(address, content):
    with httpx.Client(timeout=30) as http:
        return http.post(f"{address}/score", files=[("files", ("a.png", content))])


def test_a_server_that_stops_answers_what_it_has_accepted(knn, kinds):
    from served import serving

    entered, leave = threading.Event(), threading.Event()

    def block():
        entered.set()
        leave.wait(20)

    with ThreadPoolExecutor(4) as clients:
        with serving(knn) as server:
            model = server.models["knn"]
            model._batcher.call(block)
            assert entered.wait(10)
            waiting = [clients.submit(post, server.address, kind.read_bytes()) for kind in kinds[:4]]
            wait_for(lambda: model.held == 4)
            threading.Timer(0.5, leave.set).start()
        assert not any(future.exception(20) for future in waiting)
        assert [future.result().status_code for future in waiting] == [200] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM that a process can catch")
def test_sigterm_under_load_ends_with_0_and_fails_nobody_before(knn, kinds):
    process = subprocess.Popen(
        [sys.executable, "-m", "amiss", "serve", str(knn), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[2]
        content, found, stopping = kinds[0].read_bytes(), [], threading.Event()

        def client():
            while True:
                try:
                    found.append(post(address, content).status_code)
                except httpx.TransportError as error:  # a new connection, which a server that stops does not take
                    if not stopping.is_set():
                        found.append(repr(error))
                    return

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(found) >= 20, 30)
        stopping.set()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        for thread in threads:
            thread.join(30)
        assert set(found) <= {200, 503}
        assert found.count(200) >= 20
    finally:
        process.kill()
        process.communicate(timeout=10)
