"""The model file: what goes in comes out, and what was tampered with does not come in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import amiss.artifact.file as module
from amiss import Detector, InputError, WorkError
from amiss.artifact.file import FORMAT, from_bytes, load, save, to_bytes

Header = dict[str, object]


@pytest.fixture(scope="module")
def data() -> bytes:
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    return to_bytes(Detector("pca").fit(images).artifact)


def header_of(data: bytes) -> Header:
    size = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["amiss"])


def signed(data: bytes, change: Callable[[Header, dict[str, torch.Tensor]], object]) -> bytes:
    """The file with its header or tensors changed, and a checksum that fits."""
    header, tensors = header_of(data), safetensors.torch.load(data)
    change(header, tensors)
    header["sha256"] = module._digest(tensors, header)
    return safetensors.torch.save(tensors, {"amiss": json.dumps(header, sort_keys=True)})


def rewritten(data: bytes, change: Callable[[Header, dict[str, torch.Tensor]], object]) -> bytes:
    """The file with its header or tensors changed, and otherwise valid."""
    header, tensors = header_of(data), safetensors.torch.load(data)
    change(header, tensors)
    return safetensors.torch.save(tensors, {"amiss": json.dumps(header, sort_keys=True)})


def test_bytes_are_the_same_after_a_round_trip(data: bytes) -> None:
    assert to_bytes(from_bytes(data)) == data


def test_nothing_in_the_file_is_a_pickle(data: bytes) -> None:
    assert set(header_of(data)) == {"format", "method", "layout", "fpr", "threshold", "seed", "record", "sha256"}
    assert b"\x80\x04" not in data[: 8 + int.from_bytes(data[:8], "little")]


@pytest.mark.parametrize("size", [0, 5, 8, 100, -1, -1000])
def test_truncated_files_are_refused(data: bytes, size: int) -> None:
    with pytest.raises(InputError, match=r"bolts\.safetensors (is not a model|is truncated)"):
        from_bytes(data[:size], "bolts.safetensors")


def test_one_flipped_bit_anywhere_in_the_tensors_is_noticed(data: bytes) -> None:
    start = 8 + int.from_bytes(data[:8], "little")
    for at in np.random.default_rng(0).integers(start, len(data), 20):
        altered = bytearray(data)
        altered[at] ^= 1
        with pytest.raises(InputError, match="was altered"):
            from_bytes(bytes(altered), "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: header.update(fpr=0.5),
        lambda header, tensors: header["method"].update(components=0.5),
        lambda header, tensors: header["layout"].update(depth="uint16"),
        lambda header, tensors: header["record"].update(seconds=0),
        lambda header, tensors: header.pop("sha256"),
        lambda header, tensors: tensors["calibration.scores"].add_(1e-12),
        lambda header, tensors: tensors.update(more=torch.zeros(1)),
    ],
)
def test_every_altered_setting_is_noticed(
    data: bytes, change: Callable[[Header, dict[str, torch.Tensor]], object]
) -> None:
    with pytest.raises(InputError, match="was altered"):
        from_bytes(rewritten(data, change), "m")


def test_a_newer_format_is_refused_with_advice(data: bytes) -> None:
    newer = rewritten(data, lambda header, tensors: header.update(format=FORMAT + 1))
    with pytest.raises(InputError, match=rf"format {FORMAT + 1}.*upgrade"):
        from_bytes(newer, "m")


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "weights.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, other)
    text = tmp_path / "notes.txt"
    text.write_text("not a model, but long enough to look like one from afar")
    for path in (other, text):
        with pytest.raises(InputError, match=f"{path.name} is not a model"):
            load(path)
    with pytest.raises(InputError, match=r"cannot read the model .*missing\.safetensors: No such file"):
        load(tmp_path / "missing.safetensors")
    with pytest.raises(InputError, match="Is a directory"):
        load(tmp_path)


def test_an_unknown_method_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="sorcery"):
        from_bytes(signed(data, lambda header, tensors: header["method"].update(method="sorcery")), "m")


@pytest.mark.parametrize("written", [float("inf"), float("nan"), 1.5, "1", 0, -1, True, None, 10**400])
def test_a_format_that_is_no_version_is_refused(data: bytes, written: object) -> None:
    with pytest.raises(InputError, match=r"m (is not a model|has format)"):
        from_bytes(signed(data, lambda header, tensors: header.update(format=written)), "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda header, tensors: header["layout"]["spec"].update(channels=10**9), "images of 1000000000 x 28 x 28"),
        (lambda header, tensors: header["layout"]["spec"].update(channels=0), "images of 0 x 28 x 28"),
        (lambda header, tensors: header["layout"]["spec"].update(height=2**40), "images of 1 x 1099511627776 x 28"),
        (lambda header, tensors: header["layout"]["spec"].update(width=-28), "images of 1 x 28 x -28"),
        (lambda header, tensors: header.update(fpr=5), "fpr=5.0 is not a false-alarm rate"),
        (lambda header, tensors: header.update(fpr=1e-9), "needs 999999999 calibration images"),
        (lambda header, tensors: header.update(fpr=None, threshold=float("nan")), "the threshold is nan"),
        (lambda header, tensors: header.update(threshold=1.0), "both fpr=0.05 and the threshold 1.0 were given"),
        (lambda header, tensors: tensors["calibration.scores"].fill_(float("nan")), "calibration scores hold nan"),
        (lambda header, tensors: tensors.update({"calibration.scores": torch.zeros(2, 2)}), "calibration scores have"),
    ],
)
def test_a_header_that_nothing_can_be_made_of_is_refused_by_name(
    data: bytes, change: Callable[[Header, dict[str, torch.Tensor]], object], said: str
) -> None:
    with pytest.raises(InputError, match=f"^m cannot be rebuilt .*{said}"):
        from_bytes(signed(data, change), "m")


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="this system has no such device")
def test_a_device_is_not_read_for_ever() -> None:
    with pytest.raises(InputError, match="/dev/zero: it is a device"):
        load(Path("/dev/zero"))


def test_a_failed_write_leaves_the_old_file(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    save(from_bytes(data), path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkError, match=r"m\.safetensors: No space left"):
        save(from_bytes(data), path)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_swept_by_the_next(data: bytes, tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f".m.safetensors.{int(gone.stdout)}.part"
    left.write_bytes(b"half")
    save(from_bytes(data), tmp_path / "m.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
