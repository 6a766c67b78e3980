"""What is said where Ray is not installed, and where a node has other versions."""

from __future__ import annotations

import platform
import sys

import pytest

from amiss.artifact.file import versions
from amiss.contracts import InputError
from amiss.scale.actor import differing
from amiss.scale.on_ray import OnRay
from amiss.scale.shards import How


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'--on ray needs Ray: pip install "amiss\[ray\]"'):
        next(OnRay()([], {}, How()))


def test_a_node_with_another_version_is_named():
    assert differing(versions()) == ""
    said = differing({**versions(), "torch": "1.0", "python": "3.0"})
    assert said.startswith(f"{platform.node()} has torch ")
    assert said.endswith(", and 1.0 is wanted: install the same versions")
