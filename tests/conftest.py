"""What several test files share."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from headless import launched

EXTRAS = {
    "table": ("pandas", "pyarrow"),
    "ray": ("ray", "pandas", "pyarrow"),
    "report": ("jinja2", "matplotlib"),
    "browser": ("jinja2", "playwright"),
    "serve": ("fastapi", "uvicorn", "httpx"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip a test marked `extra(name)`, with the reason, where that extra is not installed."""
    for item in items:
        for mark in item.iter_markers("extra"):
            name = mark.args[0]
            if any(importlib.util.find_spec(module) is None for module in EXTRAS[name]):
                item.add_marker(pytest.mark.skip(reason=f'needs the extra: pip install "amiss[{name}]"'))


@pytest.fixture(scope="session")
def home() -> Path:
    """Folder of the official data sets, from AMISS_DATA."""
    named = os.environ.get("AMISS_DATA")
    if not named:
        pytest.skip("AMISS_DATA names no folder with the official files")
    return Path(named)


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A headless Chromium that is installed already; what needs it is skipped where there is none."""
    with launched() as browser:
        yield browser
