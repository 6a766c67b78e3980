import io
import stat
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from amiss.contracts import InputError
from amiss.data import pixels
from amiss.data.pixels import read_pixels
from amiss.data.tree import Folder, opened_archive


def png(value, size=(4, 4), mode="L"):
    file = io.BytesIO()
    Image.new(mode, size, value).save(file, "PNG")
    return file.getvalue()


def packed(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_folder_and_an_archive_of_it_are_the_same_tree(tmp_path):
    files = {"b/2.png": png(2), "b/1.PNG": png(1), "a.png": png(0), "note.txt": b"one\n\n two\n"}
    for name, data in files.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(data)
    archive = packed(
        tmp_path / "set.zip", {f"set/{name}": data for name, data in files.items()} | {"else/c.png": png(9)}
    )
    with opened_archive(archive, "set") as inside:
        for tree in (Folder(tmp_path / "set"), inside):
            assert tree.names() == ["a.png", "b/1.PNG", "b/2.png"]
            assert tree.names("b") == ["b/1.PNG", "b/2.png"]
            assert tree.names("absent") == []
            assert tree.lines("note.txt") == ["one", " two"]
            assert tree.lines("absent.txt") is None
            assert read_pixels(tree, tree.names(), 1, None)[:, 0, 0, 0].tolist() == [0, 1, 2]
            assert read_pixels(tree, tree.names(), 3, 8).shape == (3, 3, 8, 8)
            with pytest.raises(InputError, match=r"absent\.png"):
                tree.open("absent.png")


def test_members_that_are_no_files_or_stand_elsewhere_are_not_there(tmp_path):
    link = zipfile.ZipInfo("set/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        for name in ("set/", "set/folder.png/", "../up.png", "/root.png", "other/x.png"):
            archive.writestr(name, b"")
        archive.writestr("set/../../up.png", png(1))
        archive.writestr("set/x.png", png(1))
    before = sorted(tmp_path.parent.rglob("*"))
    with opened_archive(tmp_path / "set.zip", "set") as tree:
        assert set(tree.names()) == {"x.png", "../../up.png"}  # a name like any other: nothing is written anywhere
        assert read_pixels(tree, ["../../up.png"], 1, None).shape == (1, 1, 4, 4)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_damaged_and_hostile_archives_are_refused_by_name(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"set\.zip cannot be read as a zip archive"), opened_archive(path, "set"):
        pass
    whole = packed(path, {"set/x.png": bytes(200_000)}).read_bytes()

    def claiming(size):
        at = whole.index(b"PK\1\2") + 24  # the length of the unpacked file in the table of contents
        path.write_bytes(whole[:at] + struct.pack("<I", size) + whole[at + 4 :])

    claiming(65 << 20)
    with opened_archive(path, "set") as tree, pytest.raises(InputError, match=r"x\.png claims 68,157,440 bytes"):
        tree.open("x.png")
    claiming(1_000)
    with opened_archive(path, "set") as tree, pytest.raises(InputError, match=r"x\.png cannot be read"):
        tree.open("x.png")
    path.write_bytes(whole[:50] + bytes(20) + whole[70:])
    with opened_archive(path, "set") as tree, pytest.raises(InputError, match=r"x\.png cannot be read"):
        tree.open("x.png")


def test_images_that_cannot_be_decoded_or_differ_in_size_are_named(tmp_path):
    for name, data in {"a.png": png(1), "b.png": png(2, (5, 4)), "c.png": b"no image"}.items():
        (tmp_path / name).write_bytes(data)
    tree = Folder(tmp_path)
    with pytest.raises(InputError, match=r"b\.png has 4 x 5 pixels, but a\.png has 4 x 4: .* such as size=128"):
        read_pixels(tree, ["a.png", "b.png"], 1, None)
    assert read_pixels(tree, ["a.png", "b.png"], 1, 6)[:, 0, 5, 5].tolist() == [1, 2]
    with pytest.raises(InputError, match=r"c\.png' is not an image"):
        read_pixels(tree, ["a.png", "c.png"], 1, 6)
    with pytest.raises(InputError, match="size 0 is not a number of pixels"):
        read_pixels(tree, ["a.png"], 1, 0)


def test_more_than_fits_in_memory_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(1))
    monkeypatch.setattr(pixels, "MOST", 10)
    with pytest.raises(InputError, match=r"2 images of 4 x 4 pixels .* give a smaller size"):
        read_pixels(Folder(tmp_path), ["a.png", "a.png"], 1, None)
    assert read_pixels(Folder(tmp_path), ["a.png", "a.png"], 1, 2).size == 8


def test_deep_and_transparent_images_become_eight_bit(tmp_path):
    Image.fromarray(np.full((2, 2), 65535, np.uint16)).save(tmp_path / "deep.png")
    Image.new("1", (2, 2), 1).save(tmp_path / "bits.png")
    tree = Folder(tmp_path)
    assert read_pixels(tree, ["deep.png", "bits.png"], 3, None).tolist() == np.full((2, 3, 2, 2), 255).tolist()


def test_a_text_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"list\.txt is not a text file in UTF-8"):
        Folder(tmp_path).lines("list.txt")
