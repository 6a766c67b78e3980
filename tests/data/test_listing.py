"""Folder rules, lists, groups, fingerprints."""

from __future__ import annotations

import heapq
import os
import re
from pathlib import Path

import numpy as np
import pytest

from amiss.contracts import InputError
from amiss.data import packed
from amiss.data.listing import list_images


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def short(listing) -> list[str]:
    return [Path(name).relative_to(listing.root).as_posix() for name in listing.names]


def test_a_flat_folder_is_all_normal(tmp_path):
    make(tmp_path, "b.png", "a.JPG", "c.tiff", "notes.txt", ".DS_Store", "._a.png", "Thumbs.db")
    listing = list_images(tmp_path)
    assert short(listing) == ["a.JPG", "b.png", "c.tiff"]
    assert not listing.anomalous.any()
    assert len(listing.normal()) == 3
    assert listing.describe() == [
        f"{tmp_path}: 3 images, normal",
        f"{tmp_path}: 2 other files passed over, such as {listing.describe()[1].rsplit(' ', 1)[1]}",
    ]


@pytest.mark.parametrize(
    "suffix",
    [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".pnm", ".PNG"],
)
def test_every_image_suffix_is_read(tmp_path, suffix):
    make(tmp_path, f"x{suffix}", "x.svg")
    assert len(list_images(tmp_path)) == 1


@pytest.mark.parametrize("normal", ["good", "Normal", "OK"])
def test_one_normal_folder_makes_the_others_anomalous(tmp_path, normal):
    make(tmp_path, f"{normal}/1.png", f"{normal}/deep/2.png", "bad/3.png", "scratch/x/4.png", "ground_truth/m.png")
    listing = list_images(tmp_path)
    assert short(listing) == [f"{normal}/1.png", f"{normal}/deep/2.png", "bad/3.png", "scratch/x/4.png"]
    assert listing.anomalous.tolist() == [False, False, True, True]
    assert short(listing.normal()) == [f"{normal}/1.png", f"{normal}/deep/2.png"]
    assert short(listing.part("anomalous")) == ["bad/3.png", "scratch/x/4.png"]
    assert listing.describe() == [
        f"{tmp_path / normal}: 2 images, normal",
        f"{tmp_path / 'bad'}: 1 image, anomalous",
        f"{tmp_path / 'scratch'}: 1 image, anomalous",
    ]


def mvtec(root: Path) -> Path:
    return make(
        root, "train/good/0.png", "train/good/1.png", "test/good/2.png", "test/broken/3.png", "test/cut/4.png",
        "ground_truth/broken/3_mask.png", "license.txt",
    )  # fmt: skip


def test_mvtec_fits_on_train_good_and_keeps_the_rest_for_testing(tmp_path):
    listing = list_images(mvtec(tmp_path))
    assert short(listing.normal()) == ["train/good/0.png", "train/good/1.png"]
    assert short(listing.part("normal", test=True)) == ["test/good/2.png"]
    assert short(listing.part("anomalous", test=True)) == ["test/broken/3.png", "test/cut/4.png"]
    assert len(listing.part("anomalous", test=False)) == 0
    assert listing.describe()[1:3] == [
        f"{tmp_path / 'test' / 'good'}: 1 image, normal, for testing",
        f"{tmp_path / 'test' / 'broken'}: 1 image, anomalous, for testing",
    ]


def test_scoring_takes_everything_but_masks(tmp_path):
    listing = list_images(mvtec(tmp_path), recursive=True, roles=False)
    assert short(listing) == [
        "test/broken/3.png", "test/cut/4.png", "test/good/2.png", "train/good/0.png", "train/good/1.png",
    ]  # fmt: skip
    make(tmp_path, "top.png")
    assert short(list_images(tmp_path, recursive=False, roles=False)) == ["top.png"]


def test_subfolders_without_a_normal_one_are_refused_unless_recursive(tmp_path):
    make(tmp_path, "cats/1.png", "dogs/2.png")
    with pytest.raises(InputError, match=r"subfolders with images \(cats, dogs\).*good, normal or ok.*--recursive"):
        list_images(tmp_path)
    listing = list_images(tmp_path, recursive=True)
    assert short(listing) == ["cats/1.png", "dogs/2.png"]
    assert len(listing.normal()) == 2
    assert listing.describe() == [f"{tmp_path}: 2 images in 2 folders, all taken as normal"]


def test_images_beside_subfolders_are_refused_unless_recursive(tmp_path):
    make(tmp_path, "top.png", "cats/1.png")
    with pytest.raises(InputError, match="cats"):
        list_images(tmp_path)
    assert short(list_images(tmp_path, recursive=True)) == ["top.png", "cats/1.png"]


def test_images_beside_a_normal_folder_are_refused(tmp_path):
    make(tmp_path, "top.png", "good/1.png")
    with pytest.raises(InputError, match="beside its subfolders"):
        list_images(tmp_path, recursive=True)


def test_two_normal_folders_are_refused(tmp_path):
    make(tmp_path, "good/1.png", "ok/2.png")
    with pytest.raises(InputError, match="2 folders of normal images"):
        list_images(tmp_path)


def test_subfolders_without_images_do_not_matter(tmp_path):
    make(tmp_path, "1.png", "docs/readme.md", ".cache/2.png")
    assert short(list_images(tmp_path)) == ["1.png"]


def test_an_empty_folder_is_refused(tmp_path):
    make(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=f"'{tmp_path}' holds no images; read are .bmp"):
        list_images(tmp_path)


def test_only_anomalous_images_cannot_be_fitted(tmp_path):
    (tmp_path / "t.csv").write_text("image_path,label\nt.csv,1\n")
    with pytest.raises(InputError, match="no normal images"):
        list_images(tmp_path / "t.csv").normal()


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"'{tmp_path / 'nowhere'}' does not exist")):
        list_images(tmp_path / "nowhere")


def test_names_are_the_given_root_joined_with_the_relative_path(tmp_path, monkeypatch):
    make(tmp_path, "photos/good/1.png")
    monkeypatch.chdir(tmp_path)
    for given in ("photos", "photos/", Path("photos")):
        assert list(list_images(given).names) == [str(Path("photos/good/1.png"))]


def test_one_file_and_lists_keep_their_names_and_order(tmp_path):
    make(tmp_path, "b.png", "a.weird")
    b, a = str(tmp_path / "b.png"), tmp_path / "a.weird"
    assert list(list_images(b).names) == [b]
    assert list(list_images([b, a]).names) == [b, str(a)]
    assert list(list_images((a, b)).paths) == [str(a), b]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "is empty"),
        (["missing.png"], "entry 0 of the list, 'missing.png', does not exist"),
        (["/dev/null"], "entry 0 of the list, '/dev/null', is no file"),
        (["."], "entry 0 of the list, '.', is a folder"),
        ([np.zeros((4, 4))], "entry 0 of the list is a ndarray; accepted are paths"),
        (7, "a int cannot be listed"),
    ],
)
def test_unusable_lists_are_refused(entries, message):
    with pytest.raises(InputError, match=message):
        list_images(entries)


def test_links_lead_to_files_but_not_in_circles(tmp_path):
    make(tmp_path, "real/1.png")
    folder = tmp_path / "in"
    (folder / "good").mkdir(parents=True)
    (folder / "good" / "2.png").symlink_to(tmp_path / "real" / "1.png")
    (folder / "good" / "again").symlink_to(folder)
    (folder / "good" / "linked").symlink_to(tmp_path / "real")
    assert short(list_images(folder)) == ["good/2.png", "good/linked/1.png"]


def test_a_pipe_is_not_an_image(tmp_path):
    make(tmp_path, "1.png")
    os.mkfifo(tmp_path / "2.png")
    assert short(list_images(tmp_path)) == ["1.png"]


def test_names_that_are_not_text_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    make(tmp_path, "a.png")
    (tmp_path / name).write_bytes(b"x")
    listing = list_images(tmp_path)
    assert Path(listing.names[1]).name == name
    assert listing.fingerprint()


def test_group_by_takes_the_first_group_or_the_whole_match(tmp_path):
    make(tmp_path, "s1_0.png", "s1_1.png", "s2_0.png")
    assert list_images(tmp_path, group_by=r"(s\d)_").groups == ["s1", "s1", "s2"]
    assert list_images(tmp_path, group_by=r"s\d").groups == ["s1", "s1", "s2"]
    assert list_images(tmp_path).groups is None
    assert list_images(tmp_path).select(np.array([2])).groups is None
    assert list_images(tmp_path, group_by=r"s\d").select(np.array([2, 0])).groups == ["s2", "s1"]


def test_group_by_is_matched_on_the_relative_path(tmp_path):
    folder = make(tmp_path / "s9", "good/s1_0.png")
    assert list_images(folder, group_by=r"^good/(s\d)").groups == ["s1"]


@pytest.mark.parametrize(
    ("pattern", "message"), [("x(.)", "does not match 'a.png'"), ("(", "not a regular expression")]
)
def test_group_by_that_does_not_match_is_refused(tmp_path, pattern, message):
    make(tmp_path, "a.png")
    with pytest.raises(InputError, match=message):
        list_images(tmp_path, group_by=pattern)


def test_the_fingerprint_changes_with_the_data(tmp_path):
    make(tmp_path, "a.png", "b.png")
    seen = [list_images(tmp_path).fingerprint()]
    assert list_images(tmp_path).fingerprint() == seen[0]
    (tmp_path / "a.png").write_bytes(b"other size")
    seen.append(list_images(tmp_path).fingerprint())
    os.utime(tmp_path / "b.png", ns=(1, 1))
    seen.append(list_images(tmp_path).fingerprint())
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    seen.append(list_images(tmp_path).fingerprint())
    seen.append(list_images(tmp_path, group_by="[ac]").fingerprint())
    listing = list_images(tmp_path)
    (tmp_path / "c.png").unlink()
    seen.append(listing.fingerprint())
    assert len(set(seen)) == 6


def test_names_are_sorted_in_runs(monkeypatch):
    monkeypatch.setattr(packed, "_RUN", 7)
    for count in (0, 6, 7, 8, 100):
        names = [f"{i * 37 % 101:03}é.png" for i in range(count)]
        assert list(heapq.merge(*packed.sorted_runs(names))) == sorted(names)


def test_slices_of_names_are_names(tmp_path):
    make(tmp_path, *(f"{i}.png" for i in range(5)))
    listing = list_images(tmp_path)
    picked = listing.select(np.array([4, 1, 0]))
    assert [Path(name).name for name in picked.names[1:]] == ["1.png", "0.png"]
    assert Path(picked.names[-1]).name == "0.png"
    with pytest.raises(IndexError):
        picked.names[3]
