"""Cells on Ray: a cluster of two nodes on this machine, one of which dies amid its work."""

import json
import time
from pathlib import Path

import pytest

from amiss.bench.cell import Cell
from amiss.bench.on_ray import work_on_ray
from amiss.bench.results import read
from amiss.bench.work import Place
from amiss.contracts import InputError, WorkError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.protocols.one_vs_rest import Balanced, Entire

pytestmark = [
    pytest.mark.extra("ray"),
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("default"),
]  # Ray's own warnings are not ours

DEMO = Entire("demo", (0,))
QUICK = [Cell(method, DEMO, seed) for seed in range(2) for method in (KNN(), PCA())]
SLOW = Cell(GradCon(epochs=1), DEMO)


def place(folder: Path) -> Place:
    return Place(folder, folder / "cells.jsonl", folder / ".scratch", device="cpu")


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 80 << 20}
    made = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    made.second = made.add_node(**options)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_node_dies_and_every_cell_is_there_once(cluster, tmp_path):
    told, killed = [], []

    def done(cell, row):
        told.append(cell.key)
        if not killed:  # the second node is at work too by now
            killed.append(time.time())
            cluster.remove_node(cluster.second, allow_graceful=False)

    cells = [SLOW, *QUICK, Cell(GradCon(epochs=1), DEMO, 1)]
    outcome = work_on_ray([*cells, *QUICK], place(tmp_path), done=done)
    assert (outcome.finished, outcome.failed, outcome.left) == (6, (), 0)
    lines = [json.loads(line)["key"] for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    assert sorted(lines) == sorted(cell.key for cell in cells) == sorted(told)
    assert killed
    again = work_on_ray(cells, place(tmp_path))
    assert (again.finished, again.left) == (0, 0)


def test_failures_are_rows_and_time_is_kept(cluster, tmp_path):
    bad, long = Cell(KNN(), Balanced("demo", 7)), Cell(GradCon(epochs=400), DEMO)
    outcome = work_on_ray([bad], place(tmp_path))
    assert (outcome.finished, outcome.left) == (1, 0)
    assert "there is no class 7" in outcome.failed[0]
    outcome = work_on_ray([bad, long], place(tmp_path), seconds=5)
    assert (outcome.finished, outcome.left) == (0, 1)
    assert set(read([tmp_path]).rows) == {bad.key}


def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for address, said in [
        ("ray://127.0.0.1:1", "no Ray cluster answers at ray://127.0.0.1:1"),
        ("here", "is no address"),
    ]:
        with pytest.raises(InputError, match=said):
            work_on_ray(QUICK, place(tmp_path), address=address)


def test_a_share_of_a_gpu_that_nobody_has_is_refused(cluster, tmp_path):
    with pytest.raises(InputError, match=r"asks for 0\.25 GPU, and the cluster has none"):
        work_on_ray(QUICK[:1], place(tmp_path), gpus_per_cell=0.25)


def test_a_node_without_the_data_stops_the_run_and_leaves_no_row(cluster, tmp_path):
    far = Place(tmp_path, tmp_path / "cells.jsonl", tmp_path / ".scratch", tmp_path, "cpu")
    with pytest.raises(WorkError, match="does not have mnist"):
        work_on_ray([Cell(KNN(), Balanced("mnist", 8))], far)
    assert read([tmp_path]).rows == {}
