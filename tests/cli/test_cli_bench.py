"""`amiss bench`: what it runs, says and refuses."""

from __future__ import annotations

import json

import pytest

from amiss.bench import recipes
from amiss.bench.recipe import Column, Group, Line, Recipe, auroc
from amiss.bench.results import read
from amiss.cli import bench as verb
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.protocols.one_vs_rest import Balanced, Entire
from amiss.protocols.task import Protocol

KNN_LINE, PCA_LINE = Line("kNN", KNN(), KNN(k=1)), Line("PCA", PCA(), PCA())


def recipe(name: str, lines: tuple[Line, ...], protocol: Protocol, seeds: int = 1) -> Recipe:
    group = Group("", lines, (Column("all", (protocol,)),), auroc, "AUROC")
    return Recipe(name, "Baselines", (group,), seeds=seeds)


TINY = recipe("tiny-t1", (KNN_LINE, PCA_LINE), Entire("demo", (0,)), seeds=2)
ELSEWHERE = recipe("far-t2", (KNN_LINE,), Balanced("mnist", 8))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("AMISS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    mine = {"tiny-t1": TINY, "far-t2": ELSEWHERE}
    monkeypatch.setattr(recipes, "names", lambda: tuple(mine))
    load = recipes.load
    monkeypatch.setattr(recipes, "load", lambda name: mine[name] if name in mine else load(name))


def rows(tmp_path):
    return read([tmp_path / "results" / "bench"]).rows


def test_cells_are_run_once_and_the_table_is_printed(amiss, tmp_path):
    called = amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "-q")
    assert called.code == 0
    assert len(rows(tmp_path)) == 4
    assert "kNN" in called.out
    assert "4 cells finished, in results/bench/cells.jsonl" in called.err
    value = next(iter(rows(tmp_path).values()))["trials"]["test"]["image_AUROC"]
    assert 0.5 < value < 1
    again = amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "-q")
    assert "0 cells finished" in again.err
    assert again.out == called.out


def test_budgets_are_other_cells(amiss, tmp_path):
    amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "--seeds", "1", "-q")
    called = amiss("bench", "tiny-t1", "--jobs", "1", "--seeds", "1", "-q", "--out", "published")
    assert "1 cell finished, in results/bench/published.jsonl" in called.err  # PCA is the same at both
    assert len(rows(tmp_path)) == 3


def test_each_finished_cell_is_told(amiss):
    called = amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "--seeds", "1")
    assert "1/2 knn, demo: T-shirt against the rest, entire test, seed 0: AUROC 0." in called.err
    assert "2/2 pca" in called.err


def test_only_some_lines(amiss, tmp_path):
    amiss("bench", "tiny-t1", "--quick", "--only", "pca", "--jobs", "1", "-q")
    assert {row["method"] for row in rows(tmp_path).values()} == {"pca"}


def test_the_list_tells_cells_done_and_missing_data(amiss):
    amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "--seeds", "1", "-q")
    called = amiss("bench", "--list", "--quick")
    assert called.code == 0
    assert "tiny-t1: 2 of 4 cells done" in called.out
    assert "far-t2: 0 of 1 cell done" in called.out
    assert called.out.count("missing data") == 1
    assert "missing data: mnist" in called.out


def test_cells_without_data_are_left_out_and_named(amiss, tmp_path):
    called = amiss("bench", "tiny-t1", "far-t2", "--quick", "--jobs", "1", "--seeds", "1", "-q")
    assert called.code == 0
    assert "left out, for want of data: mnist; amiss data get mnist" in called.err
    assert len(rows(tmp_path)) == 2


def test_verify_runs_a_committed_cell_again(amiss, tmp_path):
    amiss("bench", "tiny-t1", "--quick", "--jobs", "1", "--seeds", "1", "-q")
    called = amiss("bench", "tiny-t1", "--quick", "--verify", "-q", "--device", "cpu")
    assert called.code == 0
    assert "largest difference of any trial 0, accepted 1e-06: equal" in called.out
    path = tmp_path / "results" / "bench" / "cells.jsonl"
    altered = [json.loads(line) for line in path.read_text().splitlines()]
    for row in altered:
        row["trials"]["test"]["image_AUROC"] += 0.001
    path.write_text("".join(json.dumps(row) + "\n" for row in altered))
    called = amiss("bench", "tiny-t1", "--quick", "--verify", "-q", "--device", "cpu")
    assert called.code == 1
    assert "NOT EQUAL" in called.out


def test_a_verification_needs_a_result(amiss):
    assert "holds no result of these cells at the published budget" in amiss("bench", "tiny-t1", "--verify").complaint


def test_a_table_alone_runs_nothing(amiss, tmp_path):
    called = amiss("bench", "tiny-t1", "--quick", "--table", "--form", "csv")
    assert called.code == 0
    assert rows(tmp_path) == {}
    assert "finished" not in called.err


def test_a_failed_cell_fails_the_call_and_stays_a_row(amiss, monkeypatch):
    bad = recipe("bad", (KNN_LINE,), Balanced("demo", 7))
    monkeypatch.setattr(recipes, "load", lambda name: bad)
    called = amiss("bench", "bad", "--quick", "--jobs", "1", "--seeds", "1", "-q")
    assert called.code == 1
    assert "there is no class 7" in called.err
    assert "there is no class 7" in called.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a recipe"),
        (["tiny-t9"], "tiny-t1|unknown recipe|there is no recipe"),
        (["tiny-t1", "--budget", "soon"], "--budget 'soon' is not accepted: give a time such as"),
        (["tiny-t1", "--jobs", "0"], "--jobs 0 is not accepted"),
        (["tiny-t1", "--seeds", "0"], "--seeds 0 is not accepted"),
        (["tiny-t1", "--on", "slurm"], "--on 'slurm' is not accepted: give ray"),
        (["tiny-t1", "--out", "../x"], "--out '../x' is not accepted"),
    ],
)
def test_a_wrong_call_is_one_sentence(amiss, words, told):
    called = amiss("bench", *words)
    assert called.code == 2
    assert any(part in called.complaint for part in told.split("|"))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), (None, None)])
def test_times(text, seconds):
    assert verb.seconds_of(text) == seconds
