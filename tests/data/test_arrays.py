"""Arrays and tensors: axes, dtypes, ranges, layouts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from amiss.contracts import ImageSpec, InputError
from amiss.data.arrays import images_from_array
from amiss.data.decode import decode
from amiss.data.images import Images, Layout

DTYPES = {"bool": "uint8", "uint8": "uint8", "uint16": "uint16", "float16": "float32", "float32": "float32",
          "float64": "float32"}  # fmt: skip


def values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.random(shape).astype(dtype)
    return rng.integers(0, {"bool": 2, "uint8": 256, "uint16": 65536}[dtype], shape).astype(dtype)


def everything(images: Images) -> np.ndarray:
    return images.take(np.arange(len(images))).numpy()


def own_layout(x: np.ndarray) -> Layout:
    """The layout that changes nothing about NCHW images `x`."""
    return Layout(ImageSpec(*x.shape[1:]), DTYPES[x.dtype.name])


@given(
    st.integers(1, 4), st.sampled_from([1, 3]), st.integers(5, 9), st.integers(5, 9), st.sampled_from([*DTYPES]),
    st.booleans(),
)  # fmt: skip
def test_every_axis_order_gives_the_same_images(n, channels, height, width, dtype, tensor):
    x = values((n, channels, height, width), dtype)
    layout = own_layout(x)
    expected = x.astype(np.uint8) * 255 if dtype == "bool" else x.astype(layout.depth)
    forms = [x, np.moveaxis(x, 1, 3), np.ascontiguousarray(np.moveaxis(x, 1, 3))]
    if channels == 1:
        forms.append(x[:, 0])
    for form in forms:
        images = images_from_array(torch.from_numpy(form.copy()) if tensor else form, layout)
        assert images.layout == layout
        assert np.array_equal(everything(images), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tensor", [False, True])
def test_nothing_is_copied_where_nothing_changes(dtype, tensor):
    x = values((3, 28, 28, 3), dtype)
    images = images_from_array(torch.from_numpy(x) if tensor else x)
    assert np.shares_memory(images._source.pixels, x)
    assert images.layout == Layout(ImageSpec(3, 28, 28), dtype)


@given(st.integers(1, 3), st.sampled_from([(3, 3), (1, 3), (3, 1), (1, 1)]), st.integers(1, 9))
def test_two_readings_are_refused(n, ends, height):
    with pytest.raises(InputError, match="as NCHW and as NHWC"):
        images_from_array(np.zeros((n, ends[0], height, ends[1]), np.uint8))


@given(st.integers(2, 9), st.integers(2, 9))
def test_other_channel_counts_are_refused(first, last):
    assume(first != 3 and last != 3)
    with pytest.raises(InputError, match="neither 1 nor 3 channels"):
        images_from_array(np.zeros((2, first, 5, last), np.uint8))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((28, 28, 3), np.uint8), "looks like one image"),
        (np.zeros((5, 784), np.uint8), "is not a batch"),
        (np.zeros((1, 2, 3, 4, 5), np.uint8), "is not a batch"),
        (np.zeros((0, 28, 28), np.uint8), "holds no images"),
        (np.zeros((5, 28, 0), np.uint8), "holds no images"),
        (np.zeros((5, 28, 28), np.int64), "dtype int64; accepted are bool, uint8, uint16, or float16"),
        (np.zeros((5, 28, 28), complex), "dtype complex128"),
        (np.array([None] * 3, object), "dtype object"),
        (torch.zeros((5, 28, 28), dtype=torch.int32), r"tensor has dtype torch\.int32"),
        (torch.zeros((5, 28, 28), dtype=torch.bfloat16), r"torch\.bfloat16"),
        ([[1, 2], [3]], "given as a list; accepted are a numpy array or a tensor"),
    ],
)
def test_unusable_arrays_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        images_from_array(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1e-3, 1.001, 255.0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_first_image_out_of_range_is_named(value, dtype, monkeypatch):
    monkeypatch.setattr("amiss.data.arrays._CHUNK", 3 * 28 * 28)
    x = values((10, 28, 28), dtype)
    x[7, 3, 4] = x[9, 0, 0] = value
    with pytest.raises(InputError, match=f"image 7 of the array holds the value {float(x[7, 3, 4])};"):
        images_from_array(x)


def test_zero_and_one_are_within_range():
    x = np.zeros((2, 28, 28))
    x[0] = 1
    x[1] = -0.0
    assert everything(images_from_array(x)).max() == 1


def test_other_byte_orders_and_gradients_are_read():
    x = values((2, 28, 28), "uint16")
    assert np.array_equal(everything(images_from_array(x.astype(">u2"))), x[:, None])
    tensor = torch.rand(2, 28, 28, requires_grad=True)
    assert np.array_equal(everything(images_from_array(tensor))[:, 0], tensor.detach().numpy())


@pytest.mark.parametrize(
    ("shape", "side"),
    [((8, 8), 28), ((28, 28), 28), ((31, 40), 28), ((32, 32), 32), ((100, 70), 64), ((300, 257), 256)],
)
def test_the_default_size_is_that_of_files(shape, side):
    assert images_from_array(np.zeros((2, *shape), np.uint8)).spec == ImageSpec(1, side, side)


def test_a_given_size():
    assert images_from_array(np.zeros((2, 3, 40, 50), np.uint8), size=20).spec == ImageSpec(3, 20, 20)
    with pytest.raises(InputError, match="whole number"):
        images_from_array(np.zeros((2, 40, 50), np.uint8), size=0)


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 1), ("uint8", 3), ("uint16", 1), ("float32", 1)])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_an_array_and_its_file_give_the_same_image(tmp_path, dtype, channels, depth):
    x = values((2, 40, 33, channels), dtype)
    layout = Layout(ImageSpec(channels, 28, 30), depth)
    found = everything(images_from_array(x, layout))
    for image, expected in zip(x, found, strict=True):
        Image.fromarray(image if channels == 3 else image[..., 0]).save(tmp_path / "x.tif")
        assert np.array_equal(decode(str(tmp_path / "x.tif"), layout), expected)


def test_scoring_in_another_depth_gives_back_the_same_pixels():
    x = values((3, 28, 28), "uint8")
    layout = images_from_array(x).layout
    assert np.array_equal(everything(images_from_array(x / 255, layout)), x[:, None])
    assert np.array_equal(everything(images_from_array(x.astype(np.uint16) * 257, layout)), x[:, None])


def test_colour_is_never_converted():
    layout = Layout(ImageSpec(1, 28, 28), "uint8")
    with pytest.raises(InputError, match="the array has 3 channels, and the model takes 1 channel"):
        images_from_array(np.zeros((2, 28, 28, 3), np.uint8), layout)


def test_names_are_positions():
    assert images_from_array(np.zeros((3, 28, 28), np.uint8)).name(2) == "2"


@pytest.mark.parametrize("kind", ["sparse_coo", "meta"])
def test_a_tensor_without_its_values_at_hand_is_named(kind):
    x = torch.zeros(2, 28, 28)
    with pytest.raises(InputError, match=f"the tensor is a {kind} tensor; accepted are dense"):
        images_from_array(x.to_sparse() if kind == "sparse_coo" else x.to("meta"))
