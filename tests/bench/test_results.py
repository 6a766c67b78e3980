"""Result files: whole lines, merged by key in any order."""

import itertools
import json

import pytest

from amiss.bench.cell import Cell, to_json
from amiss.bench.results import append, read
from amiss.contracts import InputError, WorkError
from amiss.methods.knn import KNN
from amiss.protocols.one_vs_rest import Entire


def row(k=5, seed=0, **more):
    cell = Cell(KNN(k=k), Entire("mnist", (8,)), seed)
    return {"key": cell.key, "cell": to_json(cell), "finished": "2026-01-01T00:00:00+00:00", **more}


def test_rows_come_back_under_their_keys(tmp_path):
    rows = [row(seed=seed) for seed in range(3)]
    for each in rows:
        append(tmp_path / "cells.jsonl", each)
    found = read([tmp_path])
    assert found.rows == {each["key"]: each for each in rows}
    assert {cell.seed for cell in found.cells.values()} == {0, 1, 2}
    assert found.stale == ()


def test_files_merge_to_the_same_rows_in_any_order(tmp_path):
    first = row(device="here", finished="2026-01-02")
    second = row(device="there", finished="2026-01-01")
    failed = row(error="broke down", finished="2025-01-01")
    other = row(seed=4)
    found = []
    for i, order in enumerate(itertools.permutations([first, second, failed, other])):
        paths = [tmp_path / str(i) / f"{n}.jsonl" for n in range(4)]
        for path, each in zip(paths, order, strict=True):
            append(path, each)
        found.append((read([tmp_path / str(i)]).rows, read(reversed(paths)).rows))
    assert all(a == b == found[0][0] for a, b in found)
    assert found[0][0] == {first["key"]: second, other["key"]: other}
    assert list(found[0][0]) == sorted(found[0][0])


def test_the_key_is_taken_of_the_settings_and_not_of_what_a_row_claims(tmp_path):
    append(tmp_path / "cells.jsonl", {**row(), "key": "0" * 16})
    assert list(read([tmp_path]).rows) == [row()["key"]]


def test_a_line_that_a_killed_process_left_is_no_row_and_is_cut_off(tmp_path):
    path = tmp_path / "cells.jsonl"
    append(path, row())
    path.write_text(path.read_text() + json.dumps(row(seed=1))[:40])
    assert list(read([path]).rows) == [row()["key"]]
    append(path, row(seed=2))
    assert set(read([path]).rows) == {row()["key"], row(seed=2)["key"]}
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(("line", "told"), [("{", "line 2 is not JSON"), ("[1]", "line 2 is not an object")])
def test_a_damaged_line_is_named(tmp_path, line, told):
    path = tmp_path / "cells.jsonl"
    append(path, row())
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=told):
        read([path])


def test_rows_of_methods_that_are_gone_are_told_and_left_out(tmp_path):
    gone = row()
    gone["cell"]["method"] = {"method": "tea_leaves"}
    append(tmp_path / "cells.jsonl", gone)
    append(tmp_path / "cells.jsonl", row(seed=1))
    found = read([tmp_path])
    assert set(found.rows) == {row(seed=1)["key"]}
    assert len(found.stale) == 1
    assert "cells.jsonl, line 1: " in found.stale[0]
    assert "tea_leaves" in found.stale[0]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError, match="cannot be written"):
        append(tmp_path / "file" / "cells.jsonl", row())


def test_no_folder_has_no_rows(tmp_path):
    assert read([tmp_path / "nothing"]).rows == {}
