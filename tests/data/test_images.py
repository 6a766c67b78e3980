"""Images: views, copies, digests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amiss.contracts import ImageSpec, InputError
from amiss.data import images as module
from amiss.data.images import Images, Layout, Skipped, digest

DTYPES = ["uint8", "uint16", "float32"]


def some(n: int = 5, dtype: str = "uint8", channels: int = 1) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (n, channels, 4, 3))
    return (values / 255).astype(dtype) if dtype == "float32" else values.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_take_returns_copies_in_the_stored_dtype(dtype):
    pixels = some(dtype=dtype, channels=3)
    images = Images(pixels)
    taken = images.take(np.array([3, 0, 3]))
    assert taken.dtype == getattr(torch, dtype)
    assert taken.is_contiguous()
    assert np.array_equal(taken.numpy(), pixels[[3, 0, 3]])
    taken.numpy()[:] = 0
    assert pixels[3].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_spec_layout_and_length(dtype):
    images = Images(some(dtype=dtype, channels=3))
    assert len(images) == 5
    assert images.spec == ImageSpec(3, 4, 3)
    assert images.layout == Layout(ImageSpec(3, 4, 3), dtype)
    assert repr(images) == f"Images(5 of 3x4x3, {dtype})"


def test_names_default_to_positions_and_survive_subsets():
    assert [Images(some()).subset(np.array([4, 2])).name(i) for i in (0, 1)] == ["4", "2"]
    named = Images(some(), names=list("abcde"), groups=np.array([0, 0, 1, 1, 2]))
    view = named.subset(np.array([4, 2, 0])).subset(np.array([2, 0]))
    assert [view.name(0), view.name(1)] == ["a", "e"]
    assert view.groups is not None
    assert view.groups.tolist() == [0, 2]
    assert np.array_equal(view.take(np.array([1])).numpy(), some()[[4]])


def test_a_subset_shares_pixels_and_keeps_what_was_skipped():
    pixels = some()
    images = Images(pixels, skipped=[Skipped("x.png", "is empty")])
    view = images.subset(np.arange(2))
    pixels[1] = 7
    assert (view.take(np.array([1])).numpy() == 7).all()
    assert view.skipped == (Skipped("x.png", "is empty"),)


def test_a_subset_does_not_change_with_the_callers_index():
    index = np.array([1, 2])
    view = Images(some()).subset(index)
    index[:] = 0
    assert view.name(0) == "1"


def test_an_empty_subset_is_a_batch_of_none():
    view = Images(some()).subset(np.array([], dtype=np.int64))
    assert len(view) == 0
    assert view.take(np.array([], dtype=np.int64)).shape == (0, 1, 4, 3)
    assert view.digests().shape == (0,)


@pytest.mark.parametrize("index", [[5], [-1], [0, 99]])
def test_positions_outside_are_refused(index):
    with pytest.raises(IndexError, match="accepted are 0 to 4"):
        Images(some()).take(np.array(index))


def test_masks_are_not_positions():
    with pytest.raises(IndexError, match="whole numbers"):
        Images(some()).subset(np.ones(5, dtype=bool))


@pytest.mark.parametrize(
    "pixels", [np.zeros((3, 4, 4), np.uint8), np.zeros((2, 1, 4, 4), np.int64), np.zeros((2, 1, 4, 4), ">u2")]
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(InputError, match="uint8, uint16, float32"):
        Images(pixels)


def test_lengths_must_agree():
    with pytest.raises(InputError, match="2 names were given for 5 images"):
        Images(some(), names=["a", "b"])
    with pytest.raises(InputError, match="1 groups"):
        Images(some(), groups=np.zeros(1, np.int64))


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=4, max_dims=4, max_side=4), elements=st.integers(0, 2)), st.data()
)
def test_digests_are_equal_iff_pixels_are(pixels, data):
    chosen = np.array(data.draw(st.lists(st.integers(0, len(pixels) - 1), min_size=1, max_size=6)), np.int64)
    found = Images(pixels).subset(chosen).digests()
    assert found.dtype == "S32"
    for i, a in enumerate(chosen):
        for j, b in enumerate(chosen):
            assert (found[i] == found[j]) == np.array_equal(pixels[a], pixels[b])


def test_digests_in_chunks_equal_those_of_each_image(monkeypatch):
    pixels = some(7, "float32", 3)
    whole = Images(pixels).digests()
    monkeypatch.setattr(module, "_CHUNK_BYTES", 2 * pixels[0].nbytes)
    assert Images(pixels).digests().tolist() == whole.tolist() == [digest(image) for image in pixels]
    assert len(set(whole)) == 7


def test_minus_zero_is_zero():
    pixels = np.zeros((2, 1, 2, 2), np.float32)
    pixels[1] *= -1
    assert np.signbit(pixels[1]).all()
    assert len(set(Images(pixels).digests())) == 1


def test_digests_of_views_of_other_layouts_are_those_of_copies():
    nhwc = np.moveaxis(some(channels=3), 1, 3)
    view = np.moveaxis(np.ascontiguousarray(nhwc), 3, 1)
    assert not view.flags.c_contiguous
    assert Images(view).digests().tolist() == Images(view.copy()).digests().tolist()


def test_known_digests_are_not_computed_again():
    known = np.array([b"a" * 32, b"b" * 32], "S32")
    images = Images(some(2), digests=known)
    assert images.subset(np.array([1])).digests().tolist() == [b"b" * 32]


def test_a_memory_map_is_not_read_as_a_whole(tmp_path):
    some(6).tofile(tmp_path / "pixels")
    mapped = np.memmap(tmp_path / "pixels", np.uint8, "r", shape=(6, 1, 4, 3))
    images = Images(mapped)
    assert np.shares_memory(images._source.pixels, mapped)
    assert type(images.take(np.array([1])).numpy().base) is not np.memmap
    assert images.digests().tolist() == Images(some(6)).digests().tolist()


@pytest.mark.parametrize("groups", [np.array([0.2, 0.7, 1.0]), np.zeros((3, 2), np.int64), np.array(["a", "b", "c"])])
def test_groups_that_are_no_codes_are_refused(groups):
    with pytest.raises(InputError, match="accepted is one whole number per image"):
        Images(some(3), groups=groups)
