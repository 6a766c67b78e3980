"""A real cluster of two nodes on this machine: equal scores, and nothing lost or doubled when one of them dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import torch
from small_photos import png, smooth, write_photos

from amiss import Detector
from amiss.contracts import InputError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.scale.each import Asked
from amiss.scale.fit_each import FitEach
from amiss.scale.fitters import FitOnRay
from amiss.scale.on_ray import OnRay
from amiss.scale.scoring import score_sharded

pytestmark = [
    pytest.mark.extra("ray"),
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("default"),
]  # Ray's own warnings are not ours

CLIENT_PORT = 24011
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
QUICK = {  # seconds until a node that does not answer counts as dead: 2 instead of 15
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 2,
}


@pytest.fixture(scope="module")
def cluster():
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("OMP_NUM_THREADS", "1")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    head = {**NODE, "include_dashboard": False, "ray_client_server_port": CLIENT_PORT, "_system_config": QUICK}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.second = made.add_node(**NODE)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()
    patch.undo()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with 600 images."""
    folder = tmp_path_factory.mktemp("many")
    for i, image in enumerate(smooth(600, 2)):
        (folder / f"{i:03}.png").write_bytes(png(image))
    return folder


@pytest.fixture(scope="module")
def slow():
    """A model whose scoring takes a while."""
    return Detector(GradCon(epochs=1), fpr=0.05).fit(smooth(60, 0), check=False)


def rows(out):
    import pandas as pd

    return pd.read_parquet(out).sort_values("image_path", ignore_index=True)


def test_ray_gives_the_scores_of_python_to_the_last_bit(cluster, one_thread, detector, photos, tmp_path):
    outcome = score_sharded(detector, photos, tmp_path / "out", shard_images=9, engine=OnRay())
    wanted = detector.score(photos).to_pandas().sort_values("image_path", ignore_index=True)
    assert wanted["pred_score"].std() > 0
    assert rows(tmp_path / "out").equals(wanted)
    assert (outcome.shards, outcome.images) == (5, 40)


def test_what_is_wrong_on_a_node_is_a_sentence_here(cluster, detector, photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"bad\.png' is not an image that can be read.*--on-bad skip"):
        score_sharded(detector, tmp_path, tmp_path / "out", engine=OnRay())
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"asks for 0\.25 GPU, and the cluster has none to give: leave --gpus out"):
        score_sharded(detector, photos, tmp_path / "out", engine=OnRay(gpus=0.25))


def test_through_a_client_from_another_process(cluster, one_thread, detector, photos, tmp_path):
    detector.save(tmp_path / "model.safetensors")
    words = ["score", tmp_path / "model.safetensors", "new", "-o", tmp_path / "out", "--on"]
    for _ in range(3):  # Ray's proxy at times loses the server that it has just started for a client
        called = subprocess.run(
            [sys.executable, "-m", "amiss", *map(str, words), f"ray://127.0.0.1:{CLIENT_PORT}"],
            cwd=photos.parent,  # not where the nodes' processes are
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if "(Initialization failure from server:)" not in called.stderr:
            break
    assert called.returncode == 0, called.stderr
    assert called.stderr.splitlines()[-1] == f"scores: {tmp_path / 'out'} (1 Parquet file)"
    assert list(rows(tmp_path / "out")["pred_score"]) == list(detector.score(photos).pred_score)


def wait_for_both():
    """Until both nodes are at work."""
    import ray

    deadline = time.monotonic() + 10
    while ray.available_resources().get("CPU", 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not ray.available_resources().get("CPU", 0)


def test_a_node_dies_amid_scoring_and_every_row_is_there_once(cluster, one_thread, slow, many, tmp_path):
    killed = []

    def told(what, done, total, detail):
        if not killed:
            wait_for_both()
            killed.append(done)
            cluster.remove_node(cluster.second, allow_graceful=False)

    try:
        outcome = score_sharded(slow, many, tmp_path / "out", shard_images=10, engine=OnRay(), progress=told)
    finally:
        cluster.second = cluster.add_node(**NODE)
    assert killed
    assert killed[0] < 30
    assert (outcome.shards, outcome.images, outcome.kept) == (60, 600, 0)
    found = rows(tmp_path / "out")
    assert list(found["image_path"]) == [str(many / f"{i:03}.png") for i in range(600)]
    scores = slow.score(many).pred_score
    assert abs(found["pred_score"].to_numpy() - scores).max() <= 1e-5 * scores.std()


def test_a_node_dies_amid_fits_and_every_model_is_there(cluster, tmp_path):
    root, models, killed, fitted = tmp_path / "parts", tmp_path / "models", [], []
    for i in range(6):
        write_photos(root / f"p{i}", 50, i)
    (root / "empty").mkdir()

    def told(what, done, total, detail):
        fitted.append(detail)
        if not killed:
            wait_for_both()
            killed.append(done)
            cluster.remove_node(cluster.second, allow_graceful=False)

    each = FitEach(root, models, Asked(GradCon(epochs=20)), "cpu")
    try:
        rows = each.run(FitOnRay(), told)
    finally:
        cluster.second = cluster.add_node(**NODE)
    assert killed
    assert {row.name: row.status for row in rows} == {"empty": "failed", **{f"p{i}": "fitted" for i in range(6)}}
    assert sorted(fitted) == [f"p{i} fitted" for i in range(6)]
    made = {row.name: Detector.load(models / f"{row.name}.safetensors") for row in rows if row.status == "fitted"}
    assert len({detector.threshold_ for detector in made.values()}) == 6
    assert {row.status for row in each.run(FitOnRay())} == {"failed", "kept"}
    with pytest.raises(InputError, match=r"a fit asks for 0\.25 GPU, and the cluster has none to give"):
        FitEach(root, tmp_path / "other", Asked(KNN())).run(FitOnRay(gpus=0.25))
