"""Sets of single image files: each on a few files in the authors' layout, and on the real ones where they are there."""

import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data import sets
from amiss.data.catalogue.cure_tsr import CONDITIONS
from amiss.data.catalogue.known import SETS
from amiss.data.catalogue.tree_set import TreeSet
from amiss.data.download import DataFile

REAL = os.environ.get("AMISS_DATA")
TREES = [member for s in SETS for member in (s.members or (s,)) if isinstance(member, TreeSet)]
BY_HAND = [s.name for s in TREES if any(branch.archive is None for branch in s.branches.values())]


def coded(value, size=(6, 4), mode="RGB", form="PNG"):
    file = io.BytesIO()
    Image.new(mode, size, value if mode != "RGB" else (value,) * 3).save(file, form)
    return file.getvalue()


def write(home, files):
    for name, data in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def values(loaded):
    """The value that each image is filled with."""
    return loaded.images.take(np.arange(len(loaded.images))).numpy()[:, 0, 0, 0].tolist()


def omniglot_files(folder, *names):
    return {f"{folder}/{name}": coded(i % 2, (105, 105), "1") for i, name in enumerate(names)}


BACKGROUND = omniglot_files(
    "images_background",
    "Greek/character02/0395_20.png",
    "Greek/character01/0394_01.png",
    "N_Ko/character33/0773_07.png",
)


def test_omniglot_is_read_from_its_archives(tmp_path):
    (tmp_path / "omniglot").mkdir()
    evaluation = omniglot_files("images_evaluation", "Tibetan/character42/1477_03.png")
    for name, members in (("background", BACKGROUND), ("evaluation", evaluation)):
        with zipfile.ZipFile(tmp_path / f"omniglot/images_{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    loaded = sets.load("omniglot", "all", tmp_path)
    assert loaded.images.spec == ImageSpec(1, 105, 105)
    assert [loaded.classes[label] for label in loaded.labels] == ["Greek", "Greek", "N_Ko", "Tibetan"]
    assert len(set(loaded.classes)) == 50
    assert loaded.tags["character"].tolist() == [1, 2, 33, 42]
    assert loaded.tags["drawer"].tolist() == [1, 20, 7, 3]
    assert loaded.images.name(0) == "omniglot/Greek/character01/0394_01.png"
    assert values(loaded) == [255, 0, 0, 0]
    assert loaded.lines[0].startswith("omniglot, train: 3 of 19,280 images are in")
    write(tmp_path / "folder/omniglot", BACKGROUND)
    unpacked = sets.load("omniglot", "train", tmp_path / "folder")
    assert values(unpacked) == [255, 0, 0]
    write(tmp_path / "folder/omniglot/images_background", {"Klingon/character01/0001_01.png": b""})
    with pytest.raises(InputError, match="is not named ALPHABET"):
        sets.load("omniglot", "train", tmp_path / "folder")


def tiny(value):
    return coded(value, (64, 64), form="JPEG")


TINY = {
    "wnids.txt": "n02\nn01\nn03\n",
    "train/n01/images/n01_0.JPEG": tiny(10),
    "train/n01/n01_boxes.txt": "n01_0.JPEG\t0\t0\t62\t63\n",
    "train/n02/images/n02_0.JPEG": tiny(20),
    "val/images/val_0.JPEG": tiny(30),
    "val/images/val_1.JPEG": tiny(40),
    "val/val_annotations.txt": "val_0.JPEG\tn02\t0\t32\t44\t62\nval_1.JPEG\tn01\t52\t55\t57\t59\n",
    "test/images/test_0.JPEG": tiny(50),
}


def test_tiny_imagenet_has_its_labels_in_folders_and_in_a_table(tmp_path):
    write(tmp_path / "tiny-imagenet-200", TINY)
    train, test = (sets.load("tiny-imagenet", split, tmp_path) for split in ("train", "test"))
    assert train.classes == test.classes == ("n01", "n02", "n03")
    assert (train.labels.tolist(), values(train)) == ([0, 1], [10, 20])
    assert (test.labels.tolist(), values(test)) == ([1, 0], [30, 40])
    assert test.images.name(1) == "tiny-imagenet/val/images/val_1.JPEG"
    assert test.lines == (f"tiny-imagenet, test: 2 of 10,000 images are in {tmp_path / 'tiny-imagenet-200'}",)
    (tmp_path / "tiny-imagenet-200/wnids.txt").unlink()
    assert sets.load("tiny-imagenet", "all", tmp_path).classes == ("n01", "n02")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("val/images/val_2.JPEG", tiny(1), r"val_2\.JPEG has no line in val/val_annotations\.txt"),
        ("val/val_annotations.txt", "val_0.JPEG n02\n", "the line 'val_0.JPEG n02'; name, class and four numbers"),
        ("wnids.txt", "n02\n", r"val_1\.JPEG is of class 'n01', which wnids\.txt does not list"),
        ("val/images/val_1.JPEG", b"\xff\xd8\xff", r"val_1\.JPEG' (is not an image|cannot be decoded)"),
    ],
)
def test_files_of_tiny_imagenet_that_do_not_fit_are_named(tmp_path, name, data, said):
    write(tmp_path / "tiny-imagenet-200", TINY | {name: data})
    with pytest.raises(InputError, match=said):
        sets.load("tiny-imagenet", "test", tmp_path)


def test_coil_is_ordered_by_object_and_view(tmp_path):
    views = {"obj10__5.png": coded(3), "obj2__10.png": coded(2), "obj2__5.png": coded(1)}
    write(tmp_path / "coil-100", views | {"convertGroupppm2png.pl": "#!/usr/bin/perl"})
    loaded = sets.load("coil-100", "all", tmp_path)
    assert loaded.labels.tolist() == [1, 1, 9]
    assert loaded.tags["view"].tolist() == [5, 10, 5]
    assert values(loaded) == [1, 2, 3]
    assert (loaded.classes[1], len(loaded.classes)) == ("obj2", 100)
    for folder in ("coil-20", "coil-20-proc"):  # the second is the authors', and goes first
        write(tmp_path / folder, {"obj1__0.png": coded(len(folder), mode="L")})
        assert values(sets.load("coil-20", "all", tmp_path)) == [len(folder)]
    for wrong in ("obj101__0.png", "obj0__0.png", "extra.png"):
        write(tmp_path / "coil-100", {wrong: coded(0)})
        with pytest.raises(InputError, match=rf"{wrong} is not named objN__V\.png, N from 1 to 100"):
            sets.load("coil-100", "all", tmp_path)
        (tmp_path / "coil-100" / wrong).unlink()


def test_more_images_than_the_set_has_are_refused(tmp_path):
    write(tmp_path / "coil-20", {f"obj{1 + i % 20}__{i}.png": b"" for i in range(1441)})
    with pytest.raises(InputError, match=r"coil-20 holds 1,441 images of coil-20, all; the set has 1,440"):
        sets.load("coil-20", "all", tmp_path)
    assert [s.state for s in sets.check("coil-20", tmp_path)] == ["partial"]


def test_celeba_is_split_by_its_list(tmp_path):
    partition = "000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n000004.jpg 0\n000005.jpg 0\n"
    faces = {f"celeba/img_align_celeba/00000{i}.jpg": coded(i * 10, (178, 218), form="JPEG") for i in range(1, 5)}
    write(tmp_path, faces | {"celeba/list_eval_partition.txt": partition})
    train = sets.load("celeba", "train", tmp_path)
    assert train.images.spec == ImageSpec(3, 218, 178)
    assert values(train) == [10, 40]
    everything = sets.load("celeba", "all", tmp_path, size=32)
    assert everything.images.spec == ImageSpec(3, 32, 32)
    assert values(everything) == [10, 40, 30, 20]
    assert everything.tags["partition"].tolist() == [0, 0, 1, 2]
    assert everything.classes == ("face",)
    write(tmp_path, {"celeba/list_eval_partition.txt": "000001.jpg 3\n"})
    with pytest.raises(InputError, match=r"the line '000001\.jpg 3'; a file and 0, 1 or 2"):
        sets.load("celeba", "test", tmp_path)
    write(tmp_path, {"celeba/list_eval_partition.txt": "000001.jpg 0\n"})
    with pytest.raises(InputError, match="holds no images of celeba, test; the official number is 19,962"):
        sets.load("celeba", "test", tmp_path)


def test_cure_tsr_has_its_facts_in_file_names(tmp_path):
    signs = {
        "Real_Train/ChallengeFree/01_06_00_00_0001.bmp": coded(1, (20, 30), form="BMP"),
        "Real_Test/ChallengeFree/01_14_00_00_0002.bmp": coded(2, (20, 30), form="BMP"),
        "Real_Test/Rain-3/01_01_09_03_0012.bmp": coded(3, (25, 25), form="BMP"),
    }
    write(tmp_path / "cure-tsr", signs)
    test = sets.load("cure-tsr", "test", tmp_path, size=28)
    assert [test.classes[label] for label in test.labels] == ["parking", "speed_limit"]
    assert [CONDITIONS[c] for c in test.tags["condition"]] == ["none", "rain"]
    assert test.tags["level"].tolist() == [0, 3]
    assert test.tags["index"].tolist() == [2, 12]
    assert values(test) == [2, 3]
    assert sets.load("cure-tsr", "train", tmp_path).images.spec == ImageSpec(3, 30, 20)
    assert sets.load("cure-tsr", "all", tmp_path, size=28).labels.tolist() == [5, 13, 0]
    with pytest.raises(InputError, match="images of several sizes need one"):
        sets.load("cure-tsr", "test", tmp_path)
    for wrong in ("02_06_00_00_0001", "01_15_00_00_0001", "01_01_13_01_0001", "01_01_01_00_0001", "01_01_00_01_0001"):
        write(tmp_path / "cure-tsr/Real_Train", {f"{wrong}.bmp": b""})
        with pytest.raises(InputError, match=rf"{wrong}\.bmp is not named as CURE-TSR's real images are"):
            sets.load("cure-tsr", "train", tmp_path, size=28)
        (tmp_path / "cure-tsr/Real_Train" / f"{wrong}.bmp").unlink()


def test_the_scans_are_classed_by_folder_or_by_table(tmp_path):
    write(
        tmp_path / "brain-mri",
        {"yes/Y1.jpg": coded(90, (630, 610), form="JPEG"), "no/1 no.jpeg": coded(40, form="JPEG")},
    )
    mri = sets.load("brain-mri", "all", tmp_path, size=128)
    assert mri.images.spec == ImageSpec(1, 128, 128)
    assert (mri.classes, mri.labels.tolist(), values(mri)) == (("no", "yes"), [0, 1], [40, 90])
    write(tmp_path / "a/head-ct", {"normal/9.png": coded(1), "hemorrhage/0.png": coded(2)})
    table = "id, hemorrhage\n0,1\n1,0\n2,1\n"
    scans = {f"head_ct/head_ct/00{i}.png": coded(i) for i in range(3)}
    write(tmp_path / "b/head-ct", scans | {"labels.csv": table})
    by_folder, by_table = (sets.load("head-ct", "all", tmp_path / home) for home in "ab")
    assert by_folder.classes == by_table.classes == ("normal", "hemorrhage")
    assert (by_folder.labels.tolist(), values(by_folder)) == ([0, 1], [1, 2])
    assert (by_table.labels.tolist(), values(by_table)) == ([1, 0, 1], [0, 1, 2])
    write(tmp_path / "b/head-ct", {"labels.csv": "id, hemorrhage\n0,1\n1,0\n"})
    with pytest.raises(InputError, match=r"002\.png has no row in labels\.csv"):
        sets.load("head-ct", "all", tmp_path / "b")
    write(tmp_path / "b/head-ct", {"labels.csv": "id, hemorrhage\n0,maybe\n"})
    with pytest.raises(InputError, match="the row '0,maybe'; a number and 0 or 1"):
        sets.load("head-ct", "all", tmp_path / "b")


def test_mvtec_is_read_by_category_with_good_first(tmp_path):
    category = {
        "train/good/000.png": coded(1),
        "test/good/000.png": coded(2),
        "test/broken_small/000.png": coded(3),
        "test/broken_large/000.png": coded(4),
        "ground_truth/broken_large/000_mask.png": coded(255, mode="L"),
    }
    write(tmp_path / "mvtec-ad/bottle", category)
    train, test = (sets.load("mvtec-ad/bottle", split, tmp_path) for split in ("train", "test"))
    assert train.classes == test.classes == ("good", "broken_large", "broken_small")
    assert (train.labels.tolist(), values(train)) == ([0], [1])
    assert (test.labels.tolist(), values(test)) == ([1, 2, 0], [4, 3, 2])
    assert test.images.name(0) == "mvtec-ad/bottle/test/broken_large/000.png"
    assert sets.load("mvtec-ad/bottle", "all", tmp_path).labels.tolist() == [0, 1, 2, 0]
    assert [(s.split, s.state, s.found) for s in sets.check("mvtec-ad", tmp_path)] == [
        *(("train", "partial", "1 images"), ("test", "partial", "3 images")),
    ]
    with pytest.raises(InputError, match="mvtec-ad is not read as a whole; accepted are mvtec-ad/bottle"):
        sets.load("mvtec-ad", "train", tmp_path)
    for name, said in [("train/scratch/000.png", "is not good"), ("train/000.png", "does not stand in a folder")]:
        write(tmp_path / "mvtec-ad/bottle", {name: coded(0)})
        with pytest.raises(InputError, match=said):
            sets.load("mvtec-ad/bottle", "train", tmp_path)
        (tmp_path / "mvtec-ad/bottle" / name).unlink()


@pytest.mark.parametrize("data_set", TREES, ids=lambda s: s.name)
def test_what_is_not_there_says_which_where_and_what_to_do(tmp_path, data_set):
    assert [s.state for s in sets.check(data_set, tmp_path)] == ["missing"] * len(sets.check(data_set, tmp_path))
    for split in data_set.splits:
        asked = split if split in ("train", "test") else "all"
        with pytest.raises(InputError) as error:
            sets.load(data_set.name, asked, tmp_path)
        for said in (data_set.branches[split].folder, str(tmp_path), f"`amiss data get {data_set.name}`", "AMISS_DATA"):
            assert said in str(error.value) or asked == "all"


@pytest.mark.parametrize("name", [*BY_HAND, "mvtec-ad"])
def test_a_set_without_a_link_is_got_by_hand(tmp_path, name):
    with pytest.raises(InputError) as error:
        sets.get(name, tmp_path)
    for said in ("no direct link", "https://", "below the data folder", sets.find(name).licence):
        assert said in str(error.value)


def test_archives_have_an_address_a_checksum_and_the_folder_inside():
    archives = {branch.archive for s in TREES for branch in s.branches.values() if branch.archive is not None}
    assert len(archives) == 2 + 1 + 1 + 1
    for archive in archives:
        algorithm, _, digest = archive.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
        assert archive.url.endswith("/" + Path(archive.path).name)


def served_coil(server):
    """COIL-20 of two images, served as its archive."""
    with zipfile.ZipFile(server.folder / "coil-20-proc.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for view in (0, 1):
            archive.writestr(f"coil-20-proc/obj1__{view}.png", coded(view, mode="L"))
    data = (server.folder / "coil-20-proc.zip").read_bytes()
    checksum = "sha256:" + hashlib.sha256(data).hexdigest()
    known = sets.find("coil-20")
    archive = DataFile("coil-20-proc.zip", checksum, len(data), f"{server.url}/coil-20-proc.zip")
    return replace(known, branches={"all": replace(known.branches["all"], count=2, archive=archive)})


def test_get_downloads_the_archive_which_is_read_as_it_is(tmp_path, server):
    known, home = served_coil(server), tmp_path / "home"
    assert sets.get(known, home) == [home / "coil-20-proc.zip"]
    assert [p.name for p in home.iterdir()] == ["coil-20-proc.zip"]
    loaded = sets.load(known, "all", home)
    assert (values(loaded), loaded.lines) == ([0, 1], ())
    assert sets.get(known, home) == []
    assert [s.state for s in sets.check(known, home)] == ["present"]
    (home / "coil-20-proc.zip").write_bytes(b"wrong")
    assert [s.state for s in sets.check(known, home)] == ["wrong checksum"]
    with pytest.raises(InputError, match=r"coil-20-proc\.zip cannot be read as a zip archive"):
        sets.load(known, "all", home)
    assert sets.get(known, home) == [home / "coil-20-proc.zip"]


def test_a_folder_with_every_image_is_left_alone_and_a_partial_one_is_not(tmp_path, server):
    known, home = served_coil(server), tmp_path / "home"
    write(home / "coil-20", {"obj1__0.png": coded(0, mode="L")})
    assert [(s.state, s.expected, s.found) for s in sets.check(known, home)] == [("partial", "2 images", "1 images")]
    assert sets.get(known, home) == [home / "coil-20-proc.zip"]
    (home / "coil-20-proc.zip").unlink()
    write(home / "coil-20", {"obj1__1.png": coded(0, mode="L")})
    (server.folder / "coil-20-proc.zip").unlink()
    assert sets.get(known, home) == []
    (home / "coil-20/obj1__1.png").unlink()
    with pytest.raises(WorkError, match=r"coil-20-proc\.zip answered 404"):
        sets.get(known, home)


@pytest.mark.skipif(not REAL, reason="AMISS_DATA names no folder with the official files")
@pytest.mark.parametrize(
    ("name", "split", "count", "classes", "largest"),
    [
        ("omniglot", "train", 19_280, 30, 1_100),
        ("omniglot", "test", 13_180, 20, 940),
        ("tiny-imagenet", "test", None, 200, 50),
        ("coil-20", "all", 1_440, 20, 72),
        ("head-ct", "all", 200, 2, 100),
        ("brain-mri", "all", 253, 2, 155),
    ],
)
def test_the_real_files_hold_what_is_known_of_them(name, split, count, classes, largest):
    data_set = sets.find(name)
    if not data_set.branches[split].there(Path(REAL)):
        pytest.skip(f"{name} ({split}) is not in {REAL}")
    loaded = sets.load(name, split, Path(REAL), size=32)
    per_class = np.bincount(loaded.labels)
    assert loaded.images.spec == ImageSpec(data_set.channels, 32, 32)
    assert np.count_nonzero(per_class) == classes
    assert count is None or len(loaded.images) == count
    assert per_class.max() <= largest
    assert (per_class.max() == largest) or loaded.lines
    assert len({loaded.images.name(i) for i in range(len(loaded.images))}) == len(loaded.images)
