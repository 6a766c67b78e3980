"""What an actor does, without Ray, and what is said where Ray is not installed."""

from __future__ import annotations

import platform
import sys

import pytest

from amiss.artifact.file import to_bytes, versions
from amiss.contracts import InputError
from amiss.scale.actor import Actor, differing
from amiss.scale.on_ray import OnRay
from amiss.scale.shards import Files, How
from amiss.scale.work import part_of


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'--on ray needs Ray: pip install "amiss\[ray\]"'):
        next(OnRay()([], {}, How()))


@pytest.mark.extra("table")
def test_an_actor_loads_its_model_once_and_says_what_is_wrong(detector, photos, tmp_path):
    fetched = []

    def fetch(name):
        fetched.append(name)
        return to_bytes(detector.artifact)

    actor = Actor(fetch, How(on_bad="skip"), 0.0, versions())
    good = [Files([f"{i}.png"], [str(photos / "a" / f"{i:03}.png")]).to_bytes() for i in range(2)]
    rows = [actor.row(shard, i, "") for i, shard in enumerate(good)]
    assert [part_of(row["part"]).shard for row in rows] == [0, 1]
    assert [row["error"] for row in rows] == ["", ""]
    assert fetched == [""]
    lost = actor.row(Files(["x.png"], ["/no/such/x.png"]).to_bytes(), 2, "")
    assert (lost["part"], lost["wrong"]) == (b"", False)
    assert "has no file '/no/such/x.png': machines read images from their own disks" in lost["error"]
    (tmp_path / "bad.png").write_bytes(b"no image")
    stopping = Actor(fetch, How(), 0.0, versions())
    bad = stopping.row(Files(["bad.png"], [str(tmp_path / "bad.png")]).to_bytes(), 0, "")
    assert bad["wrong"]
    assert "bad.png' is not an image" in bad["error"]
    other = Actor(fetch, How(), 0.0, {**versions(), "numpy": "1"})
    assert "and 1 is wanted" in other.row(good[0], 0, "")["error"]


def test_a_node_with_another_version_is_named():
    assert differing(versions()) == ""
    said = differing({**versions(), "torch": "1.0", "python": "3.0"})
    assert said.startswith(f"{platform.node()} has torch ")
    assert said.endswith(", and 1.0 is wanted: install the same versions")
