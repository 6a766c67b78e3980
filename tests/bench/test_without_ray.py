"""What is said where Ray is not installed."""

import sys

import pytest

from amiss.bench.on_ray import work_on_ray
from amiss.bench.work import Place
from amiss.contracts import InputError


def test_ray_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'--on ray needs Ray: pip install "amiss\[ray\]"'):
        work_on_ray([], Place(tmp_path, tmp_path / "cells.jsonl", tmp_path / ".scratch"))
