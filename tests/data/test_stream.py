"""Streams: all images of a source in order, in chunks, with what was skipped and converted."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss.contracts import ImageSpec, InputError
from amiss.data.ahead import map_ahead
from amiss.data.decode import conversion_lines, decode
from amiss.data.images import Kind, Layout
from amiss.data.stream import stream

LAYOUT = Layout(ImageSpec(1, 28, 28), "uint8")


def fill(folder: Path, count: int = 10) -> list[str]:
    folder.mkdir(exist_ok=True)
    names = [str(folder / f"{i:03}.png") for i in range(count)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((28, 28), i, np.uint8)).save(name)
    return names


@pytest.mark.parametrize("chunk", [1, 3, 5, 10, 256])
@pytest.mark.parametrize("workers", [1, 3])
def test_chunks_in_order_are_the_whole(tmp_path, chunk, workers):
    names = fill(tmp_path)
    found = stream(tmp_path, LAYOUT, chunk=chunk, workers=workers)
    assert found.total == 10
    chunks = list(found)
    assert [len(c.names) for c in chunks[:-1]] == [chunk] * (len(chunks) - 1)
    assert [name for c in chunks for name in c.names] == names
    pixels = torch.cat([c.pixels for c in chunks])
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels.numpy(), np.stack([decode(name, LAYOUT) for name in names]))
    assert pixels.float().std() > 1


def test_a_stream_can_be_gone_through_again(tmp_path):
    fill(tmp_path)
    found = stream(tmp_path, LAYOUT, chunk=4)
    assert [c.names for c in found] == [c.names for c in found]


def test_every_image_of_a_folder_is_scored_whatever_its_role(tmp_path):
    for name in ("good", "bad", "ground_truth"):
        fill(tmp_path / name, 2)
    found = stream(tmp_path, LAYOUT)
    assert [Path(name).parent.name for c in found for name in c.names] == ["bad", "bad", "good", "good"]
    assert found.lines == (f"{tmp_path}: 4 images in 2 folders",)
    with pytest.raises(InputError, match="recursive=True"):
        stream(tmp_path, LAYOUT, recursive=False)


def test_one_file_a_list_and_a_table(tmp_path):
    names = fill(tmp_path, 3)
    (tmp_path / "list.csv").write_text("image_path\n002.png\n000.png\n")
    assert [c.names for c in stream(names[1], LAYOUT)] == [[names[1]]]
    assert [c.names for c in stream(names[::-1], LAYOUT)] == [names[::-1]]
    assert [c.names for c in stream(tmp_path / "list.csv", LAYOUT)] == [["002.png", "000.png"]]


def test_a_bad_file_stops_or_is_skipped(tmp_path):
    names = fill(tmp_path)
    for i in (2, 9):
        Path(names[i]).write_bytes(b"")
    passed = []
    with pytest.raises(InputError, match=r"002\.png' is empty \(0 bytes\) \(on_bad='skip'"):
        passed.extend(c.names for c in stream(tmp_path, LAYOUT, chunk=2))
    assert passed == [names[:2]]
    chunks = list(stream(tmp_path, LAYOUT, chunk=4, on_bad="skip"))
    assert [len(c.names) for c in chunks] == [4, 4, 0]
    assert chunks[-1].pixels.shape == (0, 1, 28, 28)
    assert [[Path(s.path).name for s in c.skipped] for c in chunks] == [["002.png"], [], ["009.png"]]
    assert "is empty" in chunks[0].skipped[0].reason


def test_conversions_are_counted(tmp_path):
    names = fill(tmp_path, 3)
    Image.new("RGB", (28, 28)).save(names[1])
    total: Counter[Kind] = Counter()
    for chunk in stream(tmp_path, LAYOUT, chunk=2):
        total.update(chunk.kinds)
    assert total == {Kind(False, "uint8"): 2, Kind(True, "uint8"): 1}
    assert conversion_lines(total, LAYOUT) == ["1 colour file was converted to grey"]


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_arrays_are_streamed_in_the_layout(dtype):
    x = np.random.default_rng(0).integers(0, 256, (7, 28, 28)).astype(np.uint8)
    found = stream(x if dtype == "uint8" else x / 255, LAYOUT, chunk=3)
    chunks = list(found)
    assert found.total == 7
    assert [c.names for c in chunks] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert np.array_equal(torch.cat([c.pixels for c in chunks]).numpy(), x[:, None])
    chunks[0].pixels.zero_()
    assert x[0].any()


def test_unusable_sources_are_refused_at_once(tmp_path):
    with pytest.raises(InputError, match="3 channels"):
        stream(np.zeros((2, 28, 28, 3), np.uint8), LAYOUT)
    with pytest.raises(InputError, match="does not exist"):
        stream(tmp_path / "gone", LAYOUT)
    with pytest.raises(InputError, match="a chunk of 0"):
        stream(tmp_path, LAYOUT, chunk=0)


def test_leaving_a_stream_early_stops_its_threads(tmp_path):
    fill(tmp_path, 100)
    chunks = iter(stream(tmp_path, LAYOUT, chunk=1, workers=2))
    next(chunks)
    assert any(thread.name.startswith("decode") for thread in threading.enumerate())
    chunks.close()
    assert not any(thread.name.startswith("decode") for thread in threading.enumerate())


def test_work_ahead_is_bounded_and_in_order():
    begun: list[int] = []
    results = map_ahead(lambda i: begun.append(i) or -i, range(10_000), workers=2, ahead=100)
    for i in range(300):
        assert next(results) == -i
        assert max(begun) <= i + 112 + 16
    results.close()
    assert len(begun) < 500


def test_an_error_is_raised_in_its_turn():
    def work(i: int) -> int:
        if i == 40:
            raise OSError("broken")
        return i

    results = map_ahead(work, range(100), workers=2)
    # a task is a batch of 16, and raises as a whole
    assert [next(results) for _ in range(32)] == list(range(32))
    with pytest.raises(OSError, match="broken"):
        next(results)
