"""Coverage-guided fuzzing of what reads uploads and model files, by atheris (libFuzzer for Python).

    pip install atheris
    python benchmarks/atheris_fuzz.py [decode] [load] [form] [--seconds 300] [--out results/atheris.jsonl]

atheris is no dependency of amiss, and there are wheels of it for some versions of Python on Linux alone. `decode` is
the path of an uploaded image to a model's pixels, `load` that of a model file to an artifact, `form` that of a body to
its files. Each runs for --seconds from whole files of every kind, with 2 GB of memory and 30 s for a case at most. What
is meant to be raised is RefusedError or InputError; anything else ends the run, as do a crash, a hang, and too much
memory. A line of JSON for each; exits 1 if one was ended.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amiss.contracts import Method

OUT = Path(__file__).parents[1] / "results" / "atheris.jsonl"
TARGETS = ("decode", "load", "form")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=TARGETS, help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    failed = []
    for target in args.targets:
        row = run(target, args.seconds)
        with args.out.open("a") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        print(json.dumps({key: row[key] for key in ("cell", "cases", "seconds", "exit_status", "said")}), flush=True)
        failed += [target] if row["exit_status"] else []
    if failed:
        sys.exit(f"ended by {', '.join(failed)}")


def run(target: str, seconds: int) -> dict[str, object]:
    """Fuzz one path in a process of its own, since libFuzzer ends it."""
    from cells import provenance  # not in the process that is ended: what is imported already is not looked at

    with tempfile.TemporaryDirectory() as folder:
        for i, content in enumerate(seeds(target, Path(folder))):
            Path(folder, f"seed-{i}").write_bytes(content)
        limits = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=30", "-max_len=65536", "-seed=1"]
        done = subprocess.run(
            [sys.executable, __file__, "--inside", target, folder, *limits, f"-artifact_prefix={folder}/"],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        found = re.search(r"Done (\d+) runs in (\d+) second", done.stderr)
        covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
        peak = re.findall(r"rss: (\d+)Mb", done.stderr)
    return {
        "cell": [target],
        "cases": int(found[1]) if found else None,
        "seconds": int(found[2]) if found else None,
        "covered_branches": int(covered[-1][0]) if covered else None,
        "corpus": int(covered[-1][2]) if covered else None,
        "memory_mb": int(peak[-1]) if peak else None,
        "exit_status": done.returncode,
        "said": "" if done.returncode == 0 else done.stderr[-3000:],
        **provenance(),
    }


def seeds(target: str, folder: Path) -> list[bytes]:
    """Whole inputs to begin with."""
    import mutated_images
    from bodies import form

    files = mutated_images.originals()
    if target == "decode":
        return [content for _, content in files]
    if target == "form":
        return [form(files[i : i + 3]) for i in range(0, len(files), 3)]
    return models(folder)


def models(folder: Path) -> list[bytes]:
    """Small model files, and their headers alone."""
    import numpy as np

    from amiss import Detector
    from amiss.artifact.file import KEY

    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    made = []
    for name in ("pca", "kde", "gradcon"):
        method = name if name != "gradcon" else _short_gradcon()
        path = folder / f"{name}.safetensors"
        Detector(method, fpr=0.1, keep_images=False).fit(images).save(path)
        data = path.read_bytes()
        path.unlink()
        head = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        made += [data, head["__metadata__"][KEY].encode()]
    return made


def _short_gradcon() -> Method:
    from amiss.methods.gradcon import GradCon

    return GradCon(epochs=1)


def inside(target: str, arguments: list[str]) -> None:
    """In the process that is ended: instrument what is looked at, and fuzz it."""
    import atheris

    with atheris.instrument_imports(include=["amiss.data", "amiss.serve", "amiss.artifact", "amiss.catalog", "PIL"]):
        one = {"decode": _decode, "load": _load, "form": _form}[target]()
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def _decode() -> Callable[[bytes], None]:
    from amiss.contracts import ImageSpec
    from amiss.data.images import Layout
    from amiss.serve.decoding import Upload, decode_uploads
    from amiss.serve.refusal import RefusedError

    layouts = (Layout(ImageSpec(1, 28, 28), "uint8"), Layout(ImageSpec(3, 40, 40), "uint16"))

    def one(data: bytes) -> None:
        for layout in layouts:
            try:
                pixels = decode_uploads([Upload("a", io.BytesIO(data))], layout, 1_000_000)
            except RefusedError:
                continue
            assert pixels.shape[1:] == (layout.spec.channels, layout.spec.height, layout.spec.width)

    return one


def _load() -> Callable[[bytes], None]:
    from amiss.artifact import file
    from amiss.contracts import InputError

    def one(data: bytes) -> None:
        try:
            file.from_bytes(_signed(data) if data[:1] == b"{" else data)
        except InputError:
            return

    return one


def _signed(header: bytes) -> bytes:
    """A model file of a header and of no tensors, its checksum right, so that what is wrong gets further."""
    import safetensors.torch

    from amiss.artifact import file

    try:
        settings = json.loads(header)
        settings["sha256"] = file._digest({}, {key: value for key, value in settings.items() if key != "sha256"})
        return safetensors.torch.save({}, {file.KEY: json.dumps(settings, sort_keys=True)})
    except (ValueError, TypeError, RecursionError):
        return header


def _form() -> Callable[[bytes], None]:
    from amiss.serve.limits import Limits
    from amiss.serve.refusal import RefusedError
    from amiss.serve.uploads import uploads_from_form, uploads_from_json
    from bodies import BOUNDARY

    def one(data: bytes) -> None:
        for read in (
            lambda: uploads_from_form(data, BOUNDARY.encode(), Limits()),
            lambda: uploads_from_json(data, Limits()),
        ):
            try:
                read()
            except RefusedError:
                continue

    return one


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    else:
        main()
