"""The store: what it holds, killed and resumed, bad files, full disks."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data import store, store_files
from amiss.data.decode import decode
from amiss.data.images import Kind, Layout
from amiss.data.listing import list_images
from amiss.data.store import decode_store, open_store

LAYOUT = Layout(ImageSpec(1, 8, 8), "uint8")
COUNT = 40


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{i:03}.png")
    return folder


def everything(images) -> np.ndarray:
    return images.take(np.arange(len(images))).numpy()


def expected(photos: Path, layout: Layout = LAYOUT) -> np.ndarray:
    return np.stack([decode(str(path), layout) for path in sorted(photos.iterdir())])


@pytest.mark.parametrize(
    "layout",
    [LAYOUT, Layout(ImageSpec(3, 5, 9), "uint8"), Layout(ImageSpec(1, 8, 8), "uint16"),
     Layout(ImageSpec(1, 8, 8), "float32")],
)  # fmt: skip
def test_the_store_holds_what_decode_returns(photos, tmp_path, layout):
    listing = list_images(photos, group_by=r"(\d)\.png")
    images = decode_store(listing, layout, tmp_path / "store")
    assert images.layout == layout
    assert np.array_equal(everything(images), expected(photos, layout))
    assert [images.name(i) for i in range(COUNT)] == list(listing.names)
    assert images.groups is not None
    assert images.groups.tolist() == [i % 10 for i in range(COUNT)]
    assert images.skipped == ()
    assert images.kinds == {Kind(False, "uint8"): COUNT}
    again = open_store(tmp_path / "store")
    assert np.array_equal(everything(again), everything(images))
    assert again.digests().tolist() == images.digests().tolist()


def test_it_is_a_memory_map_of_the_right_digests(photos, tmp_path):
    images = decode_store(list_images(photos), LAYOUT, tmp_path / "store")
    assert images._source.pixels.base is not None
    assert isinstance(images._source.pixels.base, np.memmap)
    assert images.groups is None
    fresh = type(images)(everything(images))
    assert images.digests().tolist() == fresh.digests().tolist()
    assert len(set(images.digests().tolist())) == COUNT


@pytest.mark.parametrize("workers", [1, 5])
def test_progress_is_told_at_a_readable_pace(photos, tmp_path, workers):
    told = []
    decode_store(
        list_images(photos), LAYOUT, tmp_path / "s", progress=lambda *event: told.append(event), workers=workers
    )
    assert told[-1] == ("decoding", COUNT, COUNT, "")
    assert len(told) < COUNT / 2
    assert [event[1] for event in told] == sorted(event[1] for event in told)


def test_a_finished_store_is_not_decoded_again(photos, tmp_path, monkeypatch):
    listing = list_images(photos)
    first = everything(decode_store(listing, LAYOUT, tmp_path / "s"))
    monkeypatch.setattr("amiss.data.store.decode_with_kind", None)
    assert np.array_equal(everything(decode_store(listing, LAYOUT, tmp_path / "s")), first)


def test_a_finished_store_is_not_written_again(photos, tmp_path):
    listing = list_images(photos)
    decode_store(listing, LAYOUT, tmp_path / "store")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()}
    decode_store(listing, LAYOUT, tmp_path / "store")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()} == before


def test_the_first_bad_file_in_order_stops_and_nothing_else_is_lost(photos, tmp_path, monkeypatch):
    for i in (7, 30):
        (photos / f"{i:03}.png").write_bytes(b"")
    listing = list_images(photos)
    with pytest.raises(InputError, match=r"007\.png' is empty \(0 bytes\) \(on_bad='skip', --on-bad skip"):
        decode_store(listing, LAYOUT, tmp_path / "s", workers=4)
    with pytest.raises(InputError, match="holds no finished decode"):
        open_store(tmp_path / "s")
    assert np.fromfile(tmp_path / "s" / "marks", np.uint8)[:8].tolist() == [1] * 7 + [0]
    decoded = []
    real = store.decode_with_kind
    monkeypatch.setattr(store, "decode_with_kind", lambda path, layout: decoded.append(path) or real(path, layout))
    images = decode_store(listing, LAYOUT, tmp_path / "s", on_bad="skip")
    assert listing.names[6] not in decoded
    assert listing.names[7] in decoded
    assert len(images) == COUNT - 2
    assert [(Path(path).name, "is empty" in reason) for path, reason in images.skipped] == [
        ("007.png", True),
        ("030.png", True),
    ]
    names = [images.name(i) for i in range(len(images))]
    assert names == [name for i, name in enumerate(listing.names) if i not in (7, 30)]
    assert np.array_equal(everything(images), np.stack([decode(name, LAYOUT) for name in names]))
    assert open_store(tmp_path / "s").skipped == images.skipped


def test_all_files_may_be_bad(photos, tmp_path):
    for path in photos.iterdir():
        path.write_bytes(b"no image")
    images = decode_store(list_images(photos), LAYOUT, tmp_path / "s", on_bad="skip")
    assert len(images) == 0
    assert len(images.skipped) == COUNT


def test_nothing_to_decode_is_refused(photos, tmp_path):
    with pytest.raises(InputError, match="lists no images"):
        decode_store(list_images(photos).select(np.array([], np.int64)), LAYOUT, tmp_path / "s")


def change(photos: Path) -> None:
    Image.new("L", (8, 8), 3).save(photos / "011.png")


@pytest.mark.parametrize(
    ("alter", "layout", "message"),
    [
        (lambda _: None, Layout(ImageSpec(3, 8, 8), "uint8"), "as 1 x 8 x 8 in uint8, and 3 x 8 x 8 in uint8 is asked"),
        (lambda _: None, Layout(ImageSpec(1, 8, 8), "uint16"), "1 x 8 x 8 in uint16 is asked for"),
        (lambda photos: (photos / "000.png").unlink(), LAYOUT, "from 40 files, and there are 39 now"),
        (change, LAYOUT, r"from other files: '.*011\.png' has changed or was not among them"),
        (lambda photos: (photos / "039.png").rename(photos / "x.png"), LAYOUT, r"'.*x\.png' has changed or was not"),
    ],
)
def test_a_store_of_something_else_is_refused_by_name(photos, tmp_path, alter, layout, message):
    decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    alter(photos)
    with pytest.raises(InputError, match=message):
        decode_store(list_images(photos), layout, tmp_path / "s")


def test_other_groups_are_other_data(photos, tmp_path):
    decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    with pytest.raises(InputError, match="from other files"):
        decode_store(list_images(photos, group_by=r"\d"), LAYOUT, tmp_path / "s")


def test_a_beginning_without_a_manifest_starts_anew(photos, tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("pixels", "marks", "names.utf8", "groups"):
        (folder / name).write_bytes(b"\1" * 1000)
    images = decode_store(list_images(photos), LAYOUT, folder)
    assert np.array_equal(everything(images), expected(photos))
    assert images.groups is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 99, "layout": {"depth": "uint8"}, "skipped": null}'])
def test_another_manifest_is_refused(photos, tmp_path, text):
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"store\.json' does not describe decoded images of this version"):
        decode_store(list_images(photos), LAYOUT, tmp_path)


CHILD = """
import sys, time
from pathlib import Path
from amiss.data import store, store_files
from amiss.data.listing import list_images
from amiss.data.images import Layout
from amiss.contracts import ImageSpec
store_files._SYNC = 0.0
real = store.decode_with_kind
def slow(path, layout):
    time.sleep(0.005)
    return real(path, layout)
store.decode_with_kind = slow
store.decode_store(list_images(sys.argv[1]), Layout(ImageSpec(1, 8, 8), "uint8"), Path(sys.argv[2]), workers=2)
"""


def test_killed_and_resumed_it_is_the_uninterrupted_store(photos, tmp_path):
    folder = tmp_path / "s"
    marks = folder / "marks"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(photos), str(folder)])
    deadline = time.monotonic() + 60
    while not marks.exists() or np.count_nonzero(np.fromfile(marks, np.uint8)) < 10:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    marked = np.flatnonzero(np.fromfile(marks, np.uint8))
    assert 10 <= len(marked) < COUNT
    pixels = np.fromfile(folder / "pixels", np.uint8).reshape(COUNT, 1, 8, 8)
    assert np.array_equal(pixels[marked], expected(photos)[marked])
    with pytest.raises(InputError, match="holds no finished decode"):
        open_store(folder)
    told = []
    images = decode_store(list_images(photos), LAYOUT, folder, progress=lambda *event: told.append(event[1]))
    assert told[0] > len(marked)
    assert np.array_equal(everything(images), expected(photos))
    whole = decode_store(list_images(photos), LAYOUT, tmp_path / "whole")
    for name in ("pixels", "digests", "marks", "names.utf8", "names.ends", "stamps", "store.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(whole) == COUNT


def test_marks_come_after_the_pixels_are_on_disk(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(store_files, "_SYNC", 0.0)
    events = []
    real_sync, real_write = os.fsync, store_files._write_at

    def sync(descriptor: int) -> None:
        events.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_sync(descriptor)

    def write(file, place: int, data: bytes) -> None:
        events.append(("write", Path(file.name).name))
        real_write(file, place, data)

    monkeypatch.setattr(store_files.os, "fsync", sync)
    monkeypatch.setattr(store_files, "_write_at", write)
    decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    mine = [e for e in events if e[1] in ("pixels", "digests", "marks")]
    one = [("write", "pixels"), ("write", "digests"), ("sync", "pixels"), ("sync", "digests"), ("write", "marks")]
    assert mine[: 5 * COUNT] == one * COUNT


def test_a_full_disk_is_seen_before_the_work(photos, tmp_path, monkeypatch):
    class Usage:
        free = 100

    monkeypatch.setattr(store_files.shutil, "disk_usage", lambda _folder: Usage)
    with pytest.raises(WorkError, match=rf"'{tmp_path / 's'}' has 0.0 GB free"):
        decode_store(list_images(photos), LAYOUT, tmp_path / "s")


def test_a_disk_that_fills_up_is_an_error_that_names_the_folder(photos, tmp_path, monkeypatch):
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    real = store._begin

    def begin_then_fill(*args) -> None:
        real(*args)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))

    monkeypatch.setattr(store, "_begin", begin_then_fill)
    try:
        with pytest.raises(WorkError) as caught:
            decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert str(caught.value) == f"the decoded images cannot be written to '{tmp_path / 's'}': File too large"
    images = decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    assert np.array_equal(everything(images), expected(photos))


def test_a_place_that_cannot_be_written_is_named(photos, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkError, match=rf"cannot be written to '{tmp_path / 'file' / 's'}'"):
        decode_store(list_images(photos), LAYOUT, tmp_path / "file" / "s")


def test_mixed_files_are_counted_by_kind(photos, tmp_path):
    Image.new("RGB", (8, 8)).save(photos / "003.png")
    Image.fromarray(np.full((8, 8), 700, np.uint16)).save(photos / "004.png")
    images = decode_store(list_images(photos), LAYOUT, tmp_path / "s")
    assert images.kinds == {
        Kind(False, "uint8"): COUNT - 2,
        Kind(True, "uint8"): 1,
        Kind(False, "uint16"): 1,
    }
