"""Score tables: the same numbers in memory, CSV and Parquet; whole files or none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from amiss import InputError, WorkError
from amiss.calibration.conformal import Calibration
from amiss.calibration.table import ScoreTable, concatenate, table_writer, tabulate

NAMES = ["plain.png", "with, comma.png", 'with "quotes".png', "ünï.png"]


@pytest.fixture
def table() -> ScoreTable:
    calibration = Calibration(np.random.default_rng(0).normal(size=99), 0.05)
    scores = np.random.default_rng(1).normal(scale=2, size=4)
    return tabulate(NAMES, scores, calibration, {"recon": scores / 3})


def test_csv_holds_every_digit(table: ScoreTable, tmp_path: Path) -> None:
    table.save(tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_path"] for row in rows] == NAMES
    assert list(rows[0]) == ["image_path", "pred_score", "p_value", "normal_percentile", "pred_label", "recon"]
    assert table.p_value is not None
    assert [float(row["pred_score"]) for row in rows] == table.pred_score.tolist()
    assert [float(row["p_value"]) for row in rows] == table.p_value.tolist()
    assert {row["pred_label"] for row in rows} <= {"0", "1"}


@pytest.mark.extra("table")
def test_parquet_and_dataframe_hold_the_same(table: ScoreTable, tmp_path: Path) -> None:
    import pandas as pd

    with table_writer(tmp_path / "s.parquet") as writer:
        writer.write(table)
        writer.write(table)
    frame = pd.read_parquet(tmp_path / "s.parquet")
    assert len(frame) == 8
    pd.testing.assert_frame_equal(frame.iloc[:4], table.to_pandas())


def test_chunks_add_up(table: ScoreTable, tmp_path: Path) -> None:
    with table_writer(tmp_path / "s.csv") as writer:
        writer.write(table)
        writer.write(table)
    concatenate([table, table]).save(tmp_path / "t.csv")
    assert (tmp_path / "s.csv").read_text() == (tmp_path / "t.csv").read_text()


def test_without_calibration_or_threshold_the_columns_are_absent() -> None:
    scores = np.array([1.0, 2.0])
    assert list(tabulate(["a", "b"], scores, Calibration(np.empty(0)), {}).columns()) == ["image_path", "pred_score"]
    known = tabulate(["a", "b"], scores, Calibration(np.arange(9.0)), {})
    assert list(known.columns()) == ["image_path", "pred_score", "p_value", "normal_percentile"]
    assert next(iter(known)).pred_label is None


def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(table: ScoreTable, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")

    def interrupted() -> None:
        with table_writer(path) as writer:
            writer.write(table)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(table: ScoreTable, tmp_path: Path) -> None:
    writer = table_writer(tmp_path / "s.csv")

    class Full:
        def write(self, table: ScoreTable) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            return None

    writer.sink.close()
    writer.sink = Full()
    with pytest.raises(WorkError, match=r"s\.csv: No space left"), writer:
        writer.write(table)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["s.txt", "s", "s.csv.gz"])
def test_other_suffixes_are_refused(table: ScoreTable, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.csv or \.parquet"):
        table.save(tmp_path / name)


def test_a_missing_folder_is_refused(table: ScoreTable, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        table.save(tmp_path / "no" / "s.csv")


def test_a_file_name_that_is_not_valid_text_keeps_its_bytes(tmp_path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    tabulate([name], np.array([1.0]), Calibration(np.empty(0)), {}).save(tmp_path / "s.csv")
    assert b"caf\xe9.png,1.0" in (tmp_path / "s.csv").read_bytes()


def test_a_long_table_shows_its_beginning(table: ScoreTable) -> None:
    shown = repr(concatenate([table] * 5))
    assert shown.startswith("ScoreTable of 20 images")
    assert "... 15 more" in shown
