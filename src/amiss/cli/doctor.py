"""`amiss doctor`: what this installation is made of, and whether it works; written to be pasted into a bug report."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from amiss.cli.console import note, result
from amiss.cli.options import parse
from amiss.contracts import InputError, WorkError
from amiss.data.demo import load_demo
from amiss.data.sets import data_home, describe
from amiss.detector import Detector
from amiss.methods.gradcon import GradCon

CORE = ("amiss", "torch", "numpy", "scikit-learn", "pillow", "safetensors", "tyro", "cattrs")
EXTRAS = {
    "table": ("pandas", "pyarrow"),
    "ray": ("ray", "pandas", "pyarrow"),
    "report": ("jinja2", "matplotlib"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "serve": ("fastapi", "uvicorn"),
}


@dataclass(frozen=True)
class DoctorOptions:
    """Check this installation: versions, devices, folders, and a tiny fit, score, save and load."""


def main(arguments: Sequence[str]) -> int:
    """Report what is there; 1 if anything does not work."""
    parse(DoctorOptions, arguments, "doctor")
    failed = 0
    for title, check in CHECKS.items():
        try:
            lines = check()
        except (InputError, WorkError, RuntimeError, OSError, PackageNotFoundError) as error:
            failed += 1
            lines = [f"FAILED: {type(error).__name__}: {' '.join(str(error).splitlines())}"]
        result(*(f"{title}: {line}" for line in lines))
    note("everything works" if not failed else f"{failed} of {len(CHECKS)} checks failed")
    return 1 if failed else 0


def _versions() -> list[str]:
    return [", ".join(f"{name} {version(name)}" for name in CORE)]


def _system() -> list[str]:
    return [f"Python {platform.python_version()}, {platform.platform()}"]


def _processors() -> list[str]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ]
    return [", ".join([f"{os.cpu_count()}, {usable} usable", f"{torch.get_num_threads()} threads in torch", *limits])]


def _devices() -> list[str]:
    cuda = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [", ".join(["cpu", *cuda, *mps])]


def _extras() -> list[str]:
    lines = []
    for extra, packages in EXTRAS.items():
        absent = [name for name in packages if importlib.util.find_spec(name) is None]
        there = ", ".join(f"{name} {version(name)}" for name in packages if name not in absent)
        lines.append(f'{extra} absent: pip install "amiss[{extra}]"' if absent else f"{extra} ({there})")
    return lines


def _data() -> list[str]:
    home = data_home()
    there = [row.name for row in describe() if row.state != "absent"]
    named = "AMISS_DATA" if os.environ.get("AMISS_DATA") else "default"
    return [f"{home} ({named}): {', '.join(there) or 'no data sets, which is no fault'}"]


def _disk() -> list[str]:
    places = {"here": Path(), "for temporary files": Path(tempfile.gettempdir())}
    with tempfile.TemporaryFile():
        return [f"{shutil.disk_usage(path).free / 1e9:.1f} GB free {what}" for what, path in places.items()]


def _round_trip() -> list[str]:
    """Fit for one epoch, save, load, and compare the scores."""
    started = time.perf_counter()
    demo = load_demo()
    normal, new = demo.train.take(np.arange(200)), demo.test.take(np.arange(64))
    detector = Detector(GradCon(epochs=1)).fit(normal)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        detector.save(path)
        loaded = Detector.load(path)
    if not np.array_equal(detector.decision_function(new), loaded.decision_function(new)):
        raise WorkError("the loaded model gives other scores than the saved one")
    where = detector.runtime.resolve()
    return [f"ok on {where} in {time.perf_counter() - started:.1f} s"]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "versions": _versions,
    "system": _system,
    "processors": _processors,
    "devices": _devices,
    "extras": _extras,
    "data folder": _data,
    "disk": _disk,
    "fit, save, load, score": _round_trip,
}
