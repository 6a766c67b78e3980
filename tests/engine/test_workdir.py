"""The folder of an unfinished fit: refusals by name, and files that are whole or absent."""

import errno
import io
import json
import os
from pathlib import Path

import pytest
import torch
from lines import InterruptedFit, Line, interrupting, run

from amiss.contracts import InputError, WorkError
from amiss.data.atomic import write_atomic
from amiss.engine.workdir import Workdir

FULL = Path("/dev/full")
PLAN = {"data": "3 images, 0123", "method": '{"method": "knn"}', "amiss": "0.1.0", "torch": "2.13.0", "threads": "2"}


def opened(path):
    workdir = Workdir(path)
    workdir.open(PLAN, resume=False)
    return workdir


def test_a_new_folder_is_made_with_its_parents_and_holds_the_plan(tmp_path):
    workdir = opened(tmp_path / "a" / "b.fit")
    assert json.loads(workdir.plan.read_text()) == PLAN
    assert workdir.load() is None


@pytest.mark.parametrize("resume", [True, False])
def test_resume_without_anything_to_resume_starts(tmp_path, resume):
    Workdir(tmp_path / "b.fit").open(PLAN, resume=resume)
    assert (tmp_path / "b.fit" / "plan.json").exists()


def test_an_unfinished_fit_is_not_started_over(tmp_path):
    opened(tmp_path)
    with pytest.raises(InputError, match=r"holds an unfinished fit: give --resume .* or --overwrite") as caught:
        Workdir(tmp_path).open(PLAN, resume=False)
    assert str(tmp_path) in str(caught.value)


def test_the_same_plan_goes_on(tmp_path):
    opened(tmp_path)
    Workdir(tmp_path).open(dict(reversed(PLAN.items())), resume=True)


@pytest.mark.parametrize("name", sorted(PLAN))
def test_whatever_changed_refuses_by_name(tmp_path, name):
    before = opened(tmp_path).plan.read_bytes()
    with pytest.raises(
        InputError, match=rf"cannot resume .*: {name} was .* and is now other; restore it, or give --ov"
    ):
        Workdir(tmp_path).open({**PLAN, name: "other"}, resume=True)
    assert (tmp_path / "plan.json").read_bytes() == before


def test_keys_that_came_or_went_refuse_by_name(tmp_path):
    opened(tmp_path)
    with pytest.raises(InputError, match=r"size was not set and is now 28"):
        Workdir(tmp_path).open({**PLAN, "size": "28"}, resume=True)
    with pytest.raises(InputError, match=r"threads was 2 and is now not set"):
        Workdir(tmp_path).open({k: v for k, v in PLAN.items() if k != "threads"}, resume=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match=r"cannot write .*file/x\.fit: .*; choose another output"):
        Workdir(tmp_path / "file" / "x.fit").open(PLAN, resume=False)


STATE = {"phase": 1, "epochs": 2, "module": {"w": torch.arange(3.0)}, "best": None, "best_value": float("inf")}


def test_checkpoint_and_log_come_back(tmp_path):
    workdir = opened(tmp_path)
    log = [{"event": "epoch", "losses": {"recon": 0.5}}, {"event": "select"}]
    workdir.save(STATE, log)
    state, back = Workdir(tmp_path).load()
    assert torch.equal(state["module"].pop("w"), torch.arange(3.0))
    assert state == {**STATE, "module": {}}
    assert back == log
    assert [json.loads(line) for line in workdir.log.read_text().splitlines()] == log


def damaged(data):
    yield "truncated", data[: len(data) // 2]
    yield "empty", b""
    yield "other", b"not a checkpoint"
    middle = len(data) // 2
    yield "zeroed", data[: middle - 200] + bytes(400) + data[middle + 200 :]


@pytest.mark.parametrize("kind", ["truncated", "empty", "other", "zeroed"])
def test_a_corrupt_checkpoint_is_named(tmp_path, kind):
    workdir = opened(tmp_path)
    workdir.save({**STATE, "module": {"w": torch.rand(500)}}, [])
    workdir.checkpoint.write_bytes(dict(damaged(workdir.checkpoint.read_bytes()))[kind])
    with pytest.raises(WorkError, match=r"checkpoint\.pt cannot be read \(\w+\): give --overwrite to start anew"):
        workdir.load()


class Evil:
    def __reduce__(self):
        return os.getcwd, ()


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    workdir = opened(tmp_path)
    torch.save({**STATE, "log": "[]", "evil": Evil()}, workdir.checkpoint)
    with pytest.raises(WorkError, match=r"cannot be read \(UnpicklingError\)"):
        workdir.load()


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the new")
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(WorkError, match=r"could not write .*file: Input/output error; nothing was replaced"):
        write_atomic(path, write)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_an_interrupt_while_writing_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half of the new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, write)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def full_disk(monkeypatch):
    """Every sync to disk fails as on a full one."""

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("amiss.data.atomic.os.fsync", fsync)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch, request):
    workdir = opened(tmp_path)
    workdir.save(STATE, [])
    before = workdir.checkpoint.read_bytes()
    request.getfixturevalue("full_disk")
    with pytest.raises(WorkError, match=r"could not write .*checkpoint\.pt: No space left on device"):
        workdir.save({**STATE, "epochs": 3}, [])
    assert workdir.checkpoint.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "log.jsonl", "plan.json"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full, a disk that is always full")
@pytest.mark.parametrize("size", [3, 500_000])
def test_torch_reports_a_full_disk_in_the_systems_words(tmp_path, monkeypatch, size):
    workdir = opened(tmp_path)
    workdir.save(STATE, [])
    before = workdir.checkpoint.read_bytes()
    monkeypatch.setattr("pathlib.Path.open", lambda path, mode: io.FileIO(FULL, mode))
    with pytest.raises(WorkError, match=r"could not write .*checkpoint\.pt: No space left on device"):
        workdir.save({**STATE, "module": {"w": torch.rand(size)}}, [])
    monkeypatch.undo()
    assert workdir.checkpoint.read_bytes() == before


def test_after_a_full_disk_a_fit_goes_on_from_the_last_checkpoint(tmp_path, monkeypatch):
    whole, _ = run()
    synced = []
    fsync = os.fsync

    def full_later(descriptor):
        synced.append(descriptor)
        if len(synced) > 9:  # two epochs take eight: checkpoint, its folder, log, its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr("amiss.data.atomic.os.fsync", full_later)
    with pytest.raises(WorkError, match="No space left on device"):
        run(workdir=tmp_path)
    monkeypatch.undo()
    resumed, _ = run(workdir=tmp_path)
    assert [r["epochs_kept"] for r in resumed.log if r["event"] == "resume"] == [3]
    assert torch.equal(resumed.scorer.net[0].weight, whole.scorer.net[0].weight)


def test_a_corrupt_checkpoint_stops_a_fit_before_it_trains(tmp_path):
    with pytest.raises(InterruptedFit):
        run(workdir=tmp_path, progress=interrupting(4))
    Workdir(tmp_path).checkpoint.write_bytes(b"damaged")
    with pytest.raises(WorkError, match="cannot be read"):
        run(Line, workdir=tmp_path, progress=interrupting(0))
