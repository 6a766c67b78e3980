"""Shards: always the same, nothing in two of them, nothing left out, whatever the images are packed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from amiss.contracts import InputError, WorkError
from amiss.data.listing import list_images
from amiss.scale.listing import expand, find_shards
from amiss.scale.shards import Archive, Encoded, Files, RowGroup, from_bytes, is_image


def names(found) -> list[str]:
    return [image.name for shard in found.shards for image in shard.images()]


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_files_are_cut_in_the_order_of_the_listing(photos, size):
    found = find_shards(photos, size)
    assert names(found) == list(list_images(photos, recursive=True, roles=False).names)
    sizes = [len(list(shard.images())) for shard in found.shards]
    assert sizes[:-1] == [size] * (len(sizes) - 1)
    assert 1 <= sizes[-1] <= size
    assert found.images == sum(sizes) == 40
    assert found.fingerprint == find_shards(photos, size).fingerprint


def test_paths_are_absolute_and_names_as_they_were_given(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    (shard,) = find_shards("new", 100).shards
    files = from_bytes(shard.to_bytes())
    assert files.names[0] == str(Path("new", "a", "000.png"))
    assert files.paths[0] == str(photos / "a" / "000.png")


def test_a_changed_file_changes_the_fingerprint(photos, tmp_path):
    image = tmp_path / "one.png"
    image.write_bytes((photos / "a" / "000.png").read_bytes())
    before = find_shards(tmp_path, 4).fingerprint
    image.write_bytes((photos / "a" / "001.png").read_bytes() + b"\0")
    assert find_shards(tmp_path, 4).fingerprint != before


@pytest.mark.parametrize(
    "shard",
    [
        Files(["näme", "caf\udce9.png"], ["/näme", "/caf\udce9.png"]),
        Archive("a.tar", "/a.tar"),
        RowGroup("a.parquet", "/a.parquet", 3, 700, "image"),
    ],
)
def test_a_shard_survives_serialization(shard):
    assert from_bytes(shard.to_bytes()) == shard


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("{9..10}", ["9", "10"]),
        ("x/{000..000}.tar", ["x/000.tar"]),
    ],
)
def test_a_range_in_braces_stands_for_several_files(pattern, paths):
    assert expand(pattern) == paths


@pytest.mark.parametrize("pattern", ["a-{2..1}.tar", "{a,b}.tar", "{1..2}-{3..4}.tar", "{1..2"])
def test_other_braces_are_refused(pattern):
    with pytest.raises(InputError, match="accepted is one range in braces"):
        expand(pattern)


@pytest.mark.parametrize(
    ("member", "image"),
    [
        ("0001.jpg", True),
        ("deep/0001.PNG", True),
        ("0001.mask.png", False),
        ("0001.json", False),
        ("._0001.jpg", False),
        ("0001", False),
        ("a.b/0001.png", True),
    ],
)
def test_a_sample_has_one_image(member, image):
    assert is_image(member) == image


def test_an_archive_yields_its_images_in_order(tmp_path, packed, tarred):
    members = [("0.json", b"{}"), *packed[:3], ("x.mask.png", packed[4][1])]
    tarred(tmp_path / "s-0.tar", members)
    tarred(tmp_path / "s-1.tar", packed[3:5])
    every = [f"{tmp_path}/s-0.tar/{name}" for name, _ in packed[:3]] + [
        f"{tmp_path}/s-1.tar/{name}" for name, _ in packed[3:5]
    ]
    for source in (tmp_path, f"{tmp_path}/s-{{0..1}}.tar"):
        found = find_shards(source, 100)
        assert (len(found.shards), names(found)) == (2, every)
    data = [image.data for image in found.shards[0].images()]
    assert data == [content for _, content in packed[:3]]


def test_a_cut_archive_ends_with_what_is_wrong(tmp_path, packed, tarred):
    path = tarred(tmp_path / "s.tar", packed)
    path.write_bytes(path.read_bytes()[:5000])
    *good, last = find_shards(path, 100).shards[0].images()
    assert last.problem.startswith(f"'{path}' cannot be read as a tar file")
    assert [image.data for image in good] == [content for _, content in packed[: len(good)]]


def test_a_machine_without_the_file_says_so(tmp_path):
    for shard in (Archive("a.tar", str(tmp_path / "a.tar")), RowGroup("a", str(tmp_path / "a"), 0, 0, "image")):
        with pytest.raises(WorkError, match="machines read images from their own disks"):
            list(shard.images())


def test_what_is_unclear_or_absent_is_refused(tmp_path, packed, tarred):
    tarred(tmp_path / "s.tar", packed[:1])
    with pytest.raises(InputError, match="does not exist"):
        find_shards(f"{tmp_path}/s-{{0..1}}.tar", 4)
    (tmp_path / "one.png").write_bytes(packed[0][1])
    with pytest.raises(InputError, match="holds 1 tar files and images, so it is unclear what to score"):
        find_shards(tmp_path, 4)
    with pytest.raises(InputError, match="a shard of 0 images is too small"):
        find_shards(tmp_path, 0)


@pytest.mark.extra("table")
class TestParquet:
    """Parquet with the bytes of images, or with their paths."""

    def write(self, path, **columns):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=3)
        return path

    def test_a_row_group_is_a_shard(self, tmp_path, packed):
        data = [content for _, content in packed[:7]]
        path = self.write(tmp_path / "a.parquet", image=data, image_path=[f"n{i}" for i in range(7)])
        found = find_shards(path, 1000)
        assert [len(list(shard.images())) for shard in found.shards] == [3, 3, 1]
        assert names(found) == [f"n{i}" for i in range(7)]
        assert [image.data for shard in found.shards for image in shard.images()] == data
        assert found.images == 7

    def test_rows_without_names_are_numbered(self, tmp_path, packed):
        data = [content for _, content in packed[:4]]
        path = self.write(tmp_path / "a.parquet", bytes=data)
        assert names(find_shards(path, 1000)) == [f"{path}#{i}" for i in range(4)]

    def test_a_struct_of_bytes_and_path_is_read(self, tmp_path, packed):
        data = [{"bytes": packed[0][1], "path": "x.png"}, {"bytes": None, "path": "y.png"}]
        first, second = find_shards(self.write(tmp_path / "a.parquet", image=data), 9).shards[0].images()
        assert first == Encoded("x.png", data=packed[0][1])
        assert second.problem == f"'{tmp_path / 'a.parquet'}' has no image in row 1"

    def test_paths_are_files(self, tmp_path, photos):
        paths = [str(path) for path in sorted(photos.rglob("*.png"))]
        self.write(tmp_path / "a.parquet", image_path=paths[:30])
        self.write(tmp_path / "b.parquet", image_path=paths[30:])
        found = find_shards(tmp_path, 25)
        assert [len(shard.files().names) for shard in found.shards] == [25, 5, 10]
        assert names(found) == paths

    def test_other_tables_are_refused(self, tmp_path):
        path = self.write(tmp_path / "a.parquet", what=[1])
        with pytest.raises(InputError, match=r"has neither image_path nor bytes of images.*its columns: what"):
            find_shards(path, 9)
        (tmp_path / "b.parquet").write_bytes(b"no")
        with pytest.raises(InputError, match=r"b\.parquet' cannot be read as Parquet"):
            find_shards(tmp_path / "b.parquet", 9)
