import gzip
import hashlib
import io
import os
import struct
import tarfile
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data import sets
from amiss.data.catalogue.file_set import FileSet, Form, Part
from amiss.data.catalogue.known import SETS
from amiss.data.download import DataFile, measure

REAL = os.environ.get("AMISS_DATA")
real = pytest.mark.skipif(not REAL, reason="AMISS_DATA names no folder with the official files")


PACKED = [s for s in SETS if isinstance(s, FileSet)]


def idx(array):
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def npz(array):
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


def images(count, seed, shape=(28, 28)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


TRAIN, TEST = images(5, 1), images(3, 2)
TRAIN_LABELS, TEST_LABELS = np.array([9, 0, 3, 3, 1], np.uint8), np.array([2, 2, 0], np.uint8)
SMALL = {
    "train-images-idx3-ubyte.gz": idx(TRAIN),
    "train-labels-idx1-ubyte.gz": idx(TRAIN_LABELS),
    "t10k-images-idx3-ubyte.gz": idx(TEST),
    "t10k-labels-idx1-ubyte.gz": idx(TEST_LABELS),
}


def official(file: DataFile, data: bytes, url: str | None) -> DataFile:
    """The same file, as if `data` were what its authors distribute."""
    return replace(file, checksum="sha256:" + hashlib.sha256(data).hexdigest(), size=len(data), url=url)


def small(name, contents, url=None):
    """The known set of that name with the few images of `contents` (bytes by file name) as its official files."""

    def part(of, count):
        forms = []
        for form in of.forms:
            names = [Path(f.path).name for f in form.files]
            if all(n in contents for n in names):
                addresses = [None if f.url is None else f"{url}/{n}" for f, n in zip(form.files, names, strict=True)]
                files = zip(form.files, names, addresses, strict=True)
                forms.append(Form(tuple(official(f, contents[n], a) for f, n, a in files), form.reader))
        return Part(count, tuple(forms))

    known = sets.find(name)
    return replace(known, train=part(known.train, 5), test=part(known.test, 3))


def write(home, folder, contents):
    (home / folder).mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (home / folder / name).write_bytes(data)


def test_the_folder_is_the_argument_then_amiss_data_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    monkeypatch.setenv("AMISS_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert sets.data_home(tmp_path) == tmp_path
    assert sets.data_home() == tmp_path / "named"
    monkeypatch.setenv("AMISS_DATA", "~/data")
    assert sets.data_home() == tmp_path / "me" / "data"
    monkeypatch.setenv("AMISS_DATA", "")
    assert sets.data_home() == tmp_path / "cache" / "amiss"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert sets.data_home() == tmp_path / "me" / ".cache" / "amiss"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert sets.data_home() == tmp_path / "me" / ".cache" / "amiss"


def test_the_registry_is_complete_and_frozen():
    assert sets.names() == (
        *("mnist", "fashion-mnist", "kmnist", "omniglot", "cifar-10", "cifar-100", "svhn", "tiny-imagenet", "celeba"),
        *("coil-20", "coil-100", "cure-tsr", "head-ct", "brain-mri", "mvtec-ad"),
    )
    files = [(s, f) for s in PACKED for p in (s.train, s.test) for form in p.forms for f in form.files]
    assert len({f.path for _, f in files}) == len({f.checksum for _, f in files}) == len(files) == 4 + 4 + 8 + 6 + 2 + 2
    for data_set, file in files:
        algorithm, _, digest = file.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
        assert len(data_set.classes) == len(set(data_set.classes)) == (100 if data_set.name == "cifar-100" else 10)
        assert file.url is None or file.url.endswith("/" + Path(file.path).name)
        assert (file.url is None) == (data_set.archive is not None)
    with pytest.raises(FrozenInstanceError):
        sets.find("mnist").name = "other"


def test_an_unknown_name_or_split_says_what_is_accepted(tmp_path):
    with pytest.raises(InputError, match=r"'fashion_mnist'; did you mean fashion-mnist\?"):
        sets.load("fashion_mnist", "train", tmp_path)
    with pytest.raises(InputError, match="'mvtec-ad/botle'; did you mean mvtec-ad/bottle"):
        sets.find("mvtec-ad/botle")
    with pytest.raises(InputError, match="accepted are mnist, fashion-mnist, kmnist, omniglot, cifar-10"):
        sets.check("imagenet", tmp_path)
    for split in ("val", "valid"):
        with pytest.raises(InputError, match=f"no split '{split}'; train, test and all are accepted"):
            sets.load("celeba", split, tmp_path)
    for name in ("coil-20", "coil-100", "head-ct", "brain-mri"):
        with pytest.raises(InputError, match=f"{name} has no official splits, so no 'train': only all of it"):
            sets.load(name, "train", tmp_path)


@pytest.mark.parametrize("data_set", PACKED, ids=lambda s: s.name)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_file_says_which_where_and_what_to_do(tmp_path, data_set, split):
    first = data_set.part(split).forms[0].files[0].path
    with pytest.raises(InputError) as error:
        sets.load(data_set.name, split, tmp_path)
    for said in (first, str(tmp_path), f"`amiss data get {data_set.name}`", "AMISS_DATA"):
        assert said in str(error.value)


def test_load_gives_named_images_and_their_labels(tmp_path):
    write(tmp_path, "fashion-mnist", SMALL)
    loaded = sets.load(small("fashion-mnist", SMALL), "train", tmp_path)
    assert loaded.images.spec == ImageSpec(1, 28, 28)
    assert np.array_equal(loaded.images.take(np.arange(5)).numpy()[:, 0], TRAIN)
    assert loaded.labels.dtype == np.int64
    assert np.array_equal(loaded.labels, TRAIN_LABELS)
    assert loaded.images.name(4) == "fashion-mnist/train/00004"
    assert loaded.classes[9] == "Ankle boot"
    assert len(sets.load(small("fashion-mnist", SMALL), "test", tmp_path).images) == 3


def test_all_puts_the_splits_after_each_other_and_size_resizes_once(tmp_path):
    write(tmp_path, "mnist", SMALL)
    known = small("mnist", SMALL)
    both = sets.load(known, "all", tmp_path, size=32)
    assert both.images.spec == ImageSpec(1, 32, 32)
    assert both.labels.tolist() == [*TRAIN_LABELS, *TEST_LABELS]
    assert [both.images.name(i) for i in (0, 4, 5, 7)] == [
        *("mnist/train/00000", "mnist/train/00004"),
        *("mnist/test/00000", "mnist/test/00002"),
    ]
    assert both.tags == {}
    assert both.lines == ()
    expected = [Image.fromarray(image).resize((32, 32), Image.Resampling.LANCZOS) for image in (*TRAIN, *TEST)]
    assert np.array_equal(both.images.take(np.arange(8)).numpy()[:, 0], np.stack([np.asarray(i) for i in expected]))
    assert np.array_equal(sets.load(known, "train", tmp_path, size=28).images.take(np.arange(5)).numpy()[:, 0], TRAIN)
    for size in (0, 2.5, True):
        with pytest.raises(InputError, match="is not a number of pixels"):
            sets.load(known, "train", tmp_path, size=size)


def test_kmnist_is_read_in_either_form(tmp_path):
    other = {
        "kmnist-train-imgs.npz": npz(TRAIN),
        "kmnist-train-labels.npz": npz(TRAIN_LABELS),
        "kmnist-test-imgs.npz": npz(TEST),
        "kmnist-test-labels.npz": npz(TEST_LABELS),
    }
    known = small("kmnist", SMALL | other)
    write(tmp_path / "idx", "kmnist", SMALL)
    write(tmp_path / "npz", "kmnist", other)
    for split, pixels, labels in (("train", TRAIN, TRAIN_LABELS), ("test", TEST, TEST_LABELS)):
        for form in ("idx", "npz"):
            loaded = sets.load(known, split, tmp_path / form)
            assert np.array_equal(loaded.images.take(np.arange(len(pixels))).numpy()[:, 0], pixels)
            assert np.array_equal(loaded.labels, labels)
    assert [Path(s.path).suffix for s in sets.check(known, tmp_path / "npz")] == [".npz"] * 4


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("train-images-idx3-ubyte.gz", idx(images(4, 1)), r"shape \(4, 1, 28, 28\); mnist has \(5, 1, 28, 28\)"),
        ("train-images-idx3-ubyte.gz", idx(images(5, 1, (28, 27))), r"shape \(5, 1, 28, 27\)"),
        ("train-labels-idx1-ubyte.gz", idx(TRAIN_LABELS[:4]), "5 images, but there are 4 labels"),
        ("train-labels-idx1-ubyte.gz", idx(TRAIN_LABELS + 1), "reach 10; mnist has 0 to 9"),
    ],
)
def test_files_that_are_not_this_split_are_refused(tmp_path, name, data, said):
    write(tmp_path, "mnist", SMALL | {name: data})
    with pytest.raises(InputError, match=said):
        sets.load(small("mnist", SMALL), "train", tmp_path)


def test_check_tells_present_missing_and_wrong_with_both_values(tmp_path):
    known = small("mnist", SMALL)
    write(tmp_path, "mnist", SMALL | {"train-images-idx3-ubyte.gz": b"wrong"})
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    states = sets.check(known, tmp_path)
    assert [s.state for s in states] == ["wrong checksum", "present", "present", "missing"]
    assert [s.split for s in states] == ["train", "train", "test", "test"]
    assert states[0].found == "sha256:" + hashlib.sha256(b"wrong").hexdigest()
    assert states[0].expected == known.train.forms[0].files[0].checksum
    assert states[1].found == states[1].expected
    assert states[3].found == ""


def test_get_downloads_only_what_is_missing_or_wrong(tmp_path, server):
    known = small("mnist", SMALL, server.url)
    write(server.folder, "", SMALL)
    home = tmp_path / "home"
    write(home, "mnist", SMALL | {"train-images-idx3-ubyte.gz": b"wrong"})
    (home / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    seen = []
    new = sets.get(known, home, lambda *step: seen.append(step[0]))
    assert [p.name for p in new] == ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert {s.state for s in sets.check(known, home)} == {"present"}
    assert set(seen) == {"download train-images-idx3-ubyte.gz", "download t10k-labels-idx1-ubyte.gz"}
    assert sets.get(known, home) == []


def test_get_leaves_a_split_alone_that_is_whole_in_another_form(tmp_path, server):
    other = {"kmnist-test-imgs.npz": npz(TEST), "kmnist-test-labels.npz": npz(TEST_LABELS)}
    known = small("kmnist", SMALL | other, server.url)
    write(server.folder, "", SMALL)
    home = tmp_path / "home"
    write(home, "kmnist", other)
    assert [p.name for p in sets.get(known, home)] == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    (home / "kmnist" / "kmnist-test-imgs.npz").write_bytes(b"wrong")
    assert [p.name for p in sets.get(known, home)] == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]
    assert {s.state for s in sets.check(known, home)} == {"present"}


def cifar(tmp_path, server):
    """CIFAR-10 with one image a batch (three in the test batch), served as its archive."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    counts = [1] * 5 + [3]
    contents = {
        n: b"".join(bytes([i]) + images(1, i + 10 * j, (3072,)).tobytes() for j in range(c))
        for i, (n, c) in enumerate(zip(names, counts, strict=True))
    }
    with tarfile.open(server.folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name, data in {"readme.html": b"hello", **contents}.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    known = small("cifar-10", contents)
    archive = (server.folder / "cifar-10-binary.tar.gz").read_bytes()
    return replace(known, archive=official(known.archive, archive, f"{server.url}/cifar-10-binary.tar.gz")), contents


def test_get_unpacks_the_archive_and_load_reads_it(tmp_path, server):
    known, contents = cifar(tmp_path, server)
    home = tmp_path / "home"
    assert [p.name for p in sets.get(known, home)] == list(contents)
    assert sorted(p.name for p in (home / "cifar-10-batches-bin").iterdir()) == sorted(contents)
    train, test = sets.load(known, "train", home), sets.load(known, "test", home)
    assert train.labels.tolist() == [0, 1, 2, 3, 4]
    assert test.labels.tolist() == [5, 5, 5]
    assert train.images.take(np.array([2])).numpy().tobytes() == contents["data_batch_3.bin"][1:]
    assert sets.get(known, home) == []


def test_an_archive_that_is_there_is_unpacked_without_the_network(tmp_path, server):
    known, _ = cifar(tmp_path, server)
    home = tmp_path / "home"
    write(home, "", {"cifar-10-binary.tar.gz": (server.folder / "cifar-10-binary.tar.gz").read_bytes()})
    (server.folder / "cifar-10-binary.tar.gz").unlink()
    sets.get(known, home)
    (home / "cifar-10-batches-bin" / "data_batch_2.bin").write_bytes(b"wrong")
    assert [p.name for p in sets.get(known, home)] == ["data_batch_2.bin"]
    assert {s.state for s in sets.check(known, home)} == {"present"}


def test_a_failed_download_names_the_address(tmp_path, server):
    known = small("mnist", SMALL, server.url)
    with pytest.raises(WorkError, match=r"train-images-idx3-ubyte\.gz answered 404"):
        sets.get(known, tmp_path / "home")


def test_describe_has_a_row_for_each_set_and_sees_what_is_there(tmp_path):
    assert {row.state for row in sets.describe(tmp_path)} == {"absent"}
    write(tmp_path, "mnist", SMALL)
    write(tmp_path, "fashion-mnist", {n: d for n, d in SMALL.items() if n.startswith("train")})
    write(tmp_path, "kmnist", {"kmnist-test-imgs.npz": b"", "kmnist-test-labels.npz": b""})
    write(tmp_path, "tiny-imagenet-200/val", {"val_annotations.txt": b""})
    write(tmp_path, "coil-20", {})
    write(tmp_path, "mvtec-ad/wood/test", {})
    rows = {row.name: row for row in sets.describe(tmp_path)}
    assert tuple(rows) == sets.names()
    states = {name: row.state for name, row in rows.items() if row.state != "absent"}
    assert states == {
        **{"mnist": "complete", "fashion-mnist": "train only", "kmnist": "test only", "tiny-imagenet": "test only"},
        **{"coil-20": "present", "mvtec-ad": "1 of 15"},
    }
    assert rows["mnist"].images == "60,000 + 10,000 of 1x28x28"
    assert rows["cifar-10"].images == "50,000 + 10,000 of 3x32x32"
    assert rows["tiny-imagenet"].images == "100,000 + 10,000 of 3x64x64"
    assert rows["cure-tsr"].images == "444,812 + 203,374 of 3 channels and several sizes"


PUBLISHED = {
    "mnist/train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "mnist/train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "mnist/t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "mnist/t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    "fashion-mnist/train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "fashion-mnist/train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "fashion-mnist/t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
    "fashion-mnist/t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    "kmnist/kmnist-test-imgs.npz": "md5:dace6de62ca8b90843cc45366337d02e",
    "kmnist/kmnist-test-labels.npz": "md5:3ae489a79983d0fe386152684e3b5412",
    "cifar-10-batches-bin/data_batch_1.bin": "sha1:aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "cifar-10-batches-bin/data_batch_2.bin": "sha1:c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "cifar-10-batches-bin/data_batch_3.bin": "sha1:1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "cifar-10-batches-bin/data_batch_4.bin": "sha1:aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "cifar-10-batches-bin/data_batch_5.bin": "sha1:26e2849e66a845b7f1e4614ae70f4889ae604628",
    "cifar-10-batches-bin/test_batch.bin": "sha1:67eb016db431130d61cd03c7ad570b013799c88c",
}
"""What the authors publish, or the libraries that distribute the sets."""


@real
@pytest.mark.parametrize("path", PUBLISHED)
def test_our_checksums_and_lengths_are_those_of_files_with_the_published_sum(path):
    home = Path(REAL)
    if not (home / path).is_file():
        pytest.skip(f"{path} is not in {home}")
    files = {f.path: f for s in PACKED for p in (s.train, s.test) for form in p.forms for f in form.files}
    assert measure(home / path, PUBLISHED[path]) == PUBLISHED[path]
    assert measure(home / path, files[path].checksum) == files[path].checksum
    assert (home / path).stat().st_size == files[path].size


MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@real
@pytest.mark.parametrize(
    ("name", "split", "counts", "first", "pixels"),
    [
        ("mnist", "train", MNIST_TRAIN, [5, 0, 4, 1, 9], "741c988805d008ac"),
        ("mnist", "test", MNIST_TEST, [7, 2, 1, 0, 4], "6d87418db22cc802"),
        ("fashion-mnist", "train", [6000] * 10, [9, 0, 0, 3, 0], "2e487a6c89124f78"),
        ("fashion-mnist", "test", [1000] * 10, [9, 2, 1, 1, 6], "c867c93ff9536059"),
        ("kmnist", "test", [1000] * 10, [2, 9, 3, 8, 3], "dc10e73c6e83fb3f"),
        ("cifar-10", "train", [5000] * 10, [6, 9, 9, 4, 1], "9d5c2eddadb0deff"),
        ("cifar-10", "test", [1000] * 10, [3, 8, 8, 0, 6], "177777c33ba79825"),
    ],
)
def test_the_official_files_hold_what_is_known_of_them(name, split, counts, first, pixels):
    """`pixels` begins the SHA-256 of all pixel bytes, as a parse of the raw files without this package gave it."""
    part = sets.find(name).part(split)
    absent = [f.path for f in part.held(Path(REAL)).files if not (Path(REAL) / f.path).is_file()]
    if absent:
        pytest.skip(f"{absent[0]} is not in {REAL}")
    loaded = sets.load(name, split, Path(REAL))
    assert np.bincount(loaded.labels).tolist() == counts
    assert loaded.labels[:5].tolist() == first
    assert loaded.images.spec == sets.find(name).spec
    assert loaded.images.name(17) == f"{name}/{split}/00017"
    values = loaded.images.take(np.arange(len(loaded.images))).numpy()
    assert values.dtype == np.uint8
    assert hashlib.sha256(values).hexdigest()[:16] == pixels
