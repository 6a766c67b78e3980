"""`amiss score --on`: the same rows in a folder of Parquet files, and plain words where a call is wrong."""

from __future__ import annotations

import shutil

import pytest

from amiss import Detector

REFUSED = {
    "--on local": "--on needs -o SCORES, a folder for Parquet files",
    "-o s.csv --on local": "with --on, scores are a folder of Parquet files: give -o s",
    "-o s --on spark": "--on 'spark' is not accepted: give local, ray, or ray://HOST:PORT",
    "-o s --on local --workers 2": "--workers is for --on ray; --on local works in this process",
    "-o s --on ray --workers 0": "--workers 0 is out of range: it must be above 0",
    "-o s --on ray --gpus -1": "--gpus -1 is out of range: it must be above 0",
    "-o s --on ray --device cuda": "--device cuda is not for --on ray: --gpus gives each worker a share of a GPU",
    "-o s --on local --shard-images 0": "--shard-images 0 is out of range: it must be 1 or more",
    "-o s --on local --resume --overwrite": "--resume and --overwrite were both given: the one goes on, the other "
    "starts anew",
    "-o s --on local --report x.html": "--report is not for --on: a page holds copies of the images, which are not "
    "gathered here",
    "--resume": "--resume is for --on local or --on ray, which score shard by shard into a folder",
    "--workers 2": "--workers is for --on local or --on ray, which score shard by shard into a folder",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_wrong_call_is_one_sentence(amiss, model, new, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called = amiss("score", model, new, *words.split())
    assert (called.code, called.complaint) == (2, REFUSED[words])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.extra("table")
def test_a_folder_of_parts_holds_the_detectors_rows(amiss, model, new, tmp_path):
    import pandas as pd

    out = tmp_path / "scores"
    words = ["score", model, new, "-o", out, "--on", "local", "--shard-images", "5"]
    called = amiss(*words)
    assert (called.code, called.out) == (0, "")
    found = pd.read_parquet(out)
    wanted = Detector.load(model).score(new).to_pandas()
    assert found.equals(wanted)
    anomalous = found["pred_label"].sum()
    assert f": {anomalous} of 12 images" in called.err
    assert called.err.endswith(f"scores: {out} (3 Parquet files)\n")
    again = amiss(*words)
    assert again.complaint == f"{out} holds finished scores: give --resume to go on, or --overwrite to start anew"
    (out / "part-00001.parquet").unlink()
    resumed = amiss(*words, "--resume")
    assert resumed.err.endswith(f"scores: {out} (3 Parquet files, 2 of them from before)\n")
    assert pd.read_parquet(out).equals(wanted)
    finished = amiss(*words, "--resume")
    assert finished.out == f"{out} is finished already: there is nothing to resume (--overwrite scores anew)\n"
    other = amiss(*words, "--resume", "--threshold", "3")
    assert other.code == 2
    assert "false-alarm rate was 0.05 and is now None" in other.complaint


@pytest.mark.extra("table")
def test_skipped_files_are_named_as_far_as_a_screen_goes(amiss, model, new, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "scores"
    shutil.copytree(new, folder)
    for i in range(23):
        (folder / f"x{i:02}.png").write_bytes(b"")
    called = amiss("score", model, folder, "-o", out, "--on", "local", "--on-bad", "skip")
    lines = called.err.splitlines()
    start = lines.index("skipped 23 files:")
    assert lines[start + 1] == f"  '{folder / 'x00.png'}' is empty (0 bytes)"
    assert lines[start + 21] == f"  and 3 more, all in {out / '_skipped.csv'}"
    assert len((out / "_skipped.csv").read_text().splitlines()) == 24
