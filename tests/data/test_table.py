"""CSV, Parquet and DataFrames with image_path."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from amiss.contracts import InputError
from amiss.data.listing import list_images
from amiss.data.table import is_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "sub/b.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def csv(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_relative_paths_are_found_beside_the_table_and_named_as_given(folder, monkeypatch):
    monkeypatch.chdir("/")
    listing = list_images(csv(folder, f"id,image_path\n1,a.png\n2,sub/b.png\n3,{folder}/c.png\n"))
    assert list(listing.names) == ["a.png", "sub/b.png", f"{folder}/c.png"]
    assert list(listing.paths) == [f"{folder}/a.png", f"{folder}/sub/b.png", f"{folder}/c.png"]
    assert listing.groups is None
    assert listing.describe() == [f"{folder}/list.csv: 3 rows, 3 normal and 0 anomalous"]


def test_a_byte_order_mark_quotes_and_blank_lines_are_fine(folder):
    listing = list_images(csv(folder, '\ufeffimage_path,note\n"a.png","one, two"\n\nc.png,\n'))
    assert list(listing.names) == ["a.png", "c.png"]


def test_groups_come_from_the_group_column_or_the_named_one(folder):
    path = csv(folder, "image_path,group,scene\na.png,x,1\nsub/b.png,x,2\nc.png,y,2\n")
    assert list_images(path).groups == ["x", "x", "y"]
    assert list_images(path, group_by="scene").groups == ["1", "2", "2"]


def test_labels_tell_normal_from_anomalous(folder):
    listing = list_images(csv(folder, "image_path,label\na.png,0\nsub/b.png,Anomalous\nc.png,normal\n"))
    assert listing.anomalous.tolist() == [False, True, False]
    assert list(listing.normal().names) == ["a.png", "c.png"]


@pytest.mark.parametrize(
    ("text", "group_by", "message"),
    [
        ("file,x\na.png,1\n", None, "no column 'image_path'; its columns are file, x"),
        ("", None, "no column 'image_path'; its columns are none"),
        ("image_path\na.png\n", "scene", "no column 'scene'; its columns are image_path"),
        ("image_path\n", None, "has no rows"),
        ("image_path\na.png\ngone.png\n", None, "gone.png' in row 2, and there is no such file"),
        ("image_path,x\na.png,1\n ,2\n", None, "no usable image_path in row 2"),
        ("image_path,x\na.png,1\nc.png\n", None, "1 fields in row 2; its header has 2"),
        ("image_path,group\na.png,1\nc.png,\n", None, "no group in row 2"),
        ("image_path,label\na.png,scratch\n", None, "label 'scratch' in row 1; accepted are 0, 1, normal"),
        ('image_path\n"a.png\n', None, "cannot be read as comma-separated"),
    ],
)
def test_unusable_tables_are_refused(folder, text, group_by, message):
    with pytest.raises(InputError, match=message):
        list_images(csv(folder, text), group_by=group_by)


def test_a_table_that_is_not_text_is_refused(folder):
    (folder / "list.csv").write_bytes(b"image_path\n\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        list_images(folder / "list.csv")


def test_tables_are_told_by_suffix():
    assert [is_table(name) for name in ("a.csv", "A.CSV", "b.parquet", "c.pq", "d.png")] == [True] * 4 + [False]


@pytest.mark.extra("table")
def test_a_dataframe_is_read_like_its_csv(folder, monkeypatch):
    pandas = importlib.import_module("pandas")
    monkeypatch.chdir(folder)
    frame = pandas.DataFrame({"image_path": ["a.png", Path("sub/b.png")], "group": [1, 2], "label": [0.0, 1.0]})
    listing = list_images(frame)
    assert list(listing.names) == ["a.png", "sub/b.png"]
    assert listing.groups == ["1", "2"]
    assert listing.anomalous.tolist() == [False, True]
    with pytest.raises(InputError, match=r"the DataFrame has no usable image_path in row 2 \(nan\)"):
        list_images(pandas.DataFrame({"image_path": ["a.png", float("nan")]}))
    with pytest.raises(InputError, match="the DataFrame has no group in row 1"):
        list_images(pandas.DataFrame({"image_path": ["a.png"], "group": [None]}))
    with pytest.raises(InputError, match="its columns are 0"):
        list_images(pandas.DataFrame([["a.png"]]))


@pytest.mark.extra("table")
def test_parquet_is_read_like_its_csv(folder):
    pandas = importlib.import_module("pandas")
    frame = pandas.DataFrame({"image_path": ["a.png", "sub/b.png"], "x": [1, 2], "group": ["u", "v"]})
    frame.to_parquet(folder / "list.parquet")
    listing = list_images(folder / "list.parquet")
    assert list(listing.paths) == [f"{folder}/a.png", f"{folder}/sub/b.png"]
    assert listing.groups == ["u", "v"]
    frame.drop(columns="image_path").to_parquet(folder / "list.parquet")
    with pytest.raises(InputError, match="its columns are x, group"):
        list_images(folder / "list.parquet")
    (folder / "list.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list_images(folder / "list.parquet")


def test_parquet_without_the_extra_says_what_to_install(folder, monkeypatch):
    (folder / "list.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r'pip install "amiss\[table\]"'):
        list_images(folder / "list.parquet")
