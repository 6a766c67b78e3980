"""Every row of the table in docs/data-in.md, with files that Pillow writes, and files that should not exist."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data import opening
from amiss.data.decode import Kind, Layout, conversion_lines, decode, decode_with_kind, plan_layout
from amiss.data.listing import list_images
from amiss.data.resample import choose_size, resize, to_depth

H, W = 4, 6
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (H, W), dtype=np.uint8)
RGB = RNG.integers(0, 256, (H, W, 3), dtype=np.uint8)
ALPHA = np.resize(np.array([0, 255, 77, 128, 1], np.uint8), (H, W))
DEEP = RNG.integers(0, 65536, (H, W), dtype=np.uint16)


def layout(channels: int = 1, depth: str = "uint8", height: int = H, width: int = W) -> Layout:
    return Layout(ImageSpec(channels, height, width), depth)


def saved(folder: Path, pixels, name: str = "x.png", **options) -> str:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(folder / name, **options)
    return str(folder / name)


def luma(rgb: np.ndarray) -> np.ndarray:
    """ITU-R 601-2, as Pillow's documentation of mode L states it, here in floating point."""
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def chw(rgb: np.ndarray) -> np.ndarray:
    return np.moveaxis(rgb, 2, 0)


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes) -> bytes:
    """A PNG written by hand, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# What a file holds comes out


def test_grey(tmp_path):
    path = saved(tmp_path, GREY)
    assert np.array_equal(decode(path, layout()), GREY[None])
    assert np.array_equal(decode(path, layout(3)), np.stack([GREY] * 3))
    assert decode_with_kind(path, layout()).kind == Kind(False, "uint8")


def test_rgb(tmp_path):
    path = saved(tmp_path, RGB)
    assert np.array_equal(decode(path, layout(3)), chw(RGB))
    assert np.abs(decode(path, layout())[0] - luma(RGB)).max() <= 0.51
    assert decode_with_kind(path, layout()).kind == Kind(True, "uint8")


def test_grey_with_alpha_is_laid_over_black(tmp_path):
    path = saved(tmp_path, Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]))
    found = decode(path, layout())[0]
    assert np.abs(found - GREY / 255 * ALPHA).max() <= 0.51
    assert (found[ALPHA == 0] == 0).all()
    assert np.array_equal(found[ALPHA == 255], GREY[ALPHA == 255])
    assert np.array_equal(decode(path, layout(3)), np.stack([found] * 3))
    assert decode_with_kind(path, layout()).kind == Kind(False, "uint8")


def test_rgb_with_alpha_is_laid_over_black(tmp_path):
    path = saved(tmp_path, np.dstack([RGB, ALPHA]))
    found = decode(path, layout(3))
    over_black = RGB / 255 * ALPHA[..., None]
    assert np.abs(found - chw(over_black)).max() <= 0.51
    assert (found[:, ALPHA == 0] == 0).all()
    assert np.abs(decode(path, layout())[0] - luma(np.moveaxis(found, 0, 2))).max() <= 0.51


def palette_image(colours: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    index = np.resize(np.arange(len(colours), dtype=np.uint8), (H, W))
    image = Image.fromarray(index)
    image.putpalette(colours.astype(np.uint8).tobytes())
    return image, index


@pytest.mark.parametrize("name", ["x.png", "x.gif", "x.bmp", "x.tif"])
def test_colour_palette(tmp_path, name):
    colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30], [7, 7, 7]])
    image, index = palette_image(colours)
    path = saved(tmp_path, image, name)
    assert np.array_equal(decode(path, layout(3)), chw(colours[index]))
    assert np.abs(decode(path, layout())[0] - luma(colours[index])).max() <= 0.51
    assert decode_with_kind(path, layout()).kind == Kind(True, "uint8")


@pytest.mark.parametrize("name", ["x.png", "x.gif", "x.tif"])
def test_a_palette_of_greys_is_grey(tmp_path, name):
    colours = np.array([[9, 9, 9], [200, 200, 200], [90, 90, 90]])
    image, index = palette_image(colours)
    decoded = decode_with_kind(saved(tmp_path, image, name), layout())
    assert np.array_equal(decoded.pixels[0], colours[index][..., 0])
    assert decoded.kind == Kind(False, "uint8")


@pytest.mark.parametrize("name", ["x.png", "x.gif"])
def test_transparent_palette_entries_are_laid_over_black(tmp_path, name):
    colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30]])
    image, index = palette_image(colours)
    found = decode(saved(tmp_path, image, name, transparency=1), layout(3))
    assert np.array_equal(found, chw(np.where(index[..., None] == 1, 0, colours[index])))


def test_a_palette_with_an_alpha_for_each_entry(tmp_path):
    colours = np.array([[200, 0, 0], [0, 255, 0], [10, 20, 30]])
    image, index = palette_image(colours)
    found = decode(saved(tmp_path, image, transparency=bytes([128, 0, 255])), layout(3))
    assert np.abs(found - chw(colours[index] * np.array([128, 0, 255])[index][..., None] / 255)).max() <= 0.51


def test_a_transparent_grey_is_laid_over_black(tmp_path):
    path = saved(tmp_path, GREY, transparency=int(GREY[0, 0]))
    assert np.array_equal(decode(path, layout())[0], np.where(GREY[0, 0] == GREY, 0, GREY))


@pytest.mark.parametrize("name", ["x.jpg", "x.tif"])
def test_cmyk_becomes_rgb(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(RGB).convert("CMYK"), name, **({"quality": 100} if name == "x.jpg" else {}))
    found = decode(path, layout(3))
    assert np.abs(found - chw(RGB).astype(float)).max() <= (40 if name == "x.jpg" else 1)
    assert decode_with_kind(path, layout()).kind == Kind(True, "uint8")


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_other_colour_spaces_become_rgb(tmp_path, mode):
    smooth = np.dstack([np.full((H, W), 200), np.full((H, W), 120), np.full((H, W), 60)]).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(smooth).convert(mode), "x.tif")
    with Image.open(path) as image:
        assert image.mode == mode
    decoded = decode_with_kind(path, layout(3))
    assert np.abs(decoded.pixels - chw(smooth).astype(int)).max() <= 3
    assert decoded.kind == Kind(True, "uint8")
    assert np.abs(decode(path, layout())[0] - luma(smooth)).max() <= 3


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.bmp", "x.pbm"])
def test_one_bit_is_0_and_255(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(GREY > 127), name)
    decoded = decode_with_kind(path, layout())
    assert np.array_equal(decoded.pixels[0], np.where(GREY > 127, 255, 0))
    assert decoded.kind == Kind(False, "uint8")


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.pgm"])
def test_sixteen_bits_are_kept(tmp_path, name):
    path = saved(tmp_path, DEEP, name)
    decoded = decode_with_kind(path, layout(1, "uint16"))
    assert decoded.pixels.dtype == np.uint16
    assert np.array_equal(decoded.pixels[0], DEEP)
    assert decoded.kind == Kind(False, "uint16")
    assert np.array_equal(decode(path, layout(3, "uint16")), np.stack([DEEP] * 3))
    assert np.abs(decode(path, layout())[0] - DEEP / 257).max() <= 0.5
    assert np.array_equal(decode(path, layout(1, "float32"))[0], DEEP.astype(np.float32) / np.float32(65535))


@pytest.mark.parametrize(("colour_type", "bands"), [(2, 3), (4, 2), (6, 4)])
def test_of_sixteen_bits_a_channel_the_upper_eight_are_read(tmp_path, colour_type, bands):
    deep = RNG.integers(0, 65536, (H, W, bands), dtype=np.uint16)
    if bands != 3:
        deep[..., -1] = 65535
    path = tmp_path / "x.png"
    path.write_bytes(png(W, H, 16, colour_type, b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)))
    decoded = decode_with_kind(str(path), layout(1 if bands == 2 else 3))
    assert np.array_equal(decoded.pixels, chw(deep >> 8)[: 1 if bands == 2 else 3])
    assert decoded.kind == Kind(True, "uint8")


def test_big_endian_sixteen_bits(tmp_path):
    path = saved(tmp_path, Image.frombytes("I;16B", (W, H), DEEP.astype(">u2").tobytes()), "x.tif")
    assert np.array_equal(decode(path, layout(1, "uint16"))[0], DEEP)


def test_integers_beyond_sixteen_bits_are_refused(tmp_path):
    for value in (70_000, -3):
        values = np.full((H, W), 5, np.int32)
        values[1, 1] = value
        path = saved(tmp_path, values, "x.tif")
        with pytest.raises(InputError, match=rf"'{path}' has values from .*{value}.*16-bit images are 0 to 65535"):
            decode(path, layout(1, "uint16"))


def test_float_is_kept(tmp_path):
    values = RNG.random((H, W)).astype(np.float32)
    path = saved(tmp_path, values, "x.tif")
    decoded = decode_with_kind(path, layout(1, "float32"))
    assert np.array_equal(decoded.pixels[0], values)
    assert decoded.kind == Kind(False, "float32")
    assert np.abs(decode(path, layout())[0] - values * 255).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01])
def test_floats_outside_are_refused(tmp_path, value):
    values = np.full((H, W), 0.5, np.float32)
    values[2, 3] = value
    path = saved(tmp_path, values, "x.tif")
    with pytest.raises(InputError, match=f"'{path}' has values .*0 to 1"):
        decode(path, layout(1, "float32"))


def test_eight_bits_in_deeper_models(tmp_path):
    path = saved(tmp_path, RGB)
    assert np.array_equal(decode(path, layout(3, "uint16")), chw(RGB).astype(np.uint16) * 257)
    assert np.array_equal(decode(path, layout(3, "float32")), chw(RGB).astype(np.float32) / np.float32(255))


UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.T,
    6: lambda x: x.T[:, ::-1],
    7: lambda x: x[::-1, ::-1].T,
    8: lambda x: x.T[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("pixels", [GREY, DEEP], ids=["8", "16"])
@pytest.mark.parametrize(("name", "options"), [("x.png", {}), ("x.tif", {}), ("x.tif", {"compression": "tiff_lzw"})])
def test_exif_orientation_is_applied(tmp_path, orientation, pixels, name, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, pixels, name, exif=exif, **options)
    expected = UPRIGHT[orientation](pixels)
    found = decode(path, layout(1, pixels.dtype.name, *expected.shape))
    assert np.array_equal(found[0], expected)


def test_a_rotated_photo(tmp_path):
    smooth = np.outer(np.linspace(0, 200, 40), np.ones(24)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, smooth, "x.jpg", exif=exif, quality=95)
    found = decode(path, layout(1, "uint8", 24, 40))[0].astype(int)
    assert np.abs(found - smooth.T[:, ::-1]).max() <= 3


@pytest.mark.parametrize("name", ["x.gif", "x.tif", "x.webp", "x.png"])
def test_the_first_frame_of_many(tmp_path, name):
    first, second = (Image.new("L", (W, H), value) for value in (10, 200))
    options = {"lossless": True} if name == "x.webp" else {}
    path = saved(tmp_path, first, name, save_all=True, append_images=[second], **options)
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert (decode(path, layout()) == 10).all()


def test_webp_is_always_colour(tmp_path):
    decoded = decode_with_kind(saved(tmp_path, GREY, "x.webp", lossless=True), layout())
    assert decoded.kind == Kind(True, "uint8")
    assert np.array_equal(decoded.pixels[0], GREY)


# Sizes


@pytest.mark.parametrize("pixels", [GREY, RGB, DEEP, DEEP.astype(np.float32) / 65535], ids=["L", "RGB", "16", "F"])
def test_resizing_is_pillows_lanczos_in_the_files_own_depth(tmp_path, pixels):
    path = saved(tmp_path, pixels, "x.tif")
    deep = pixels.dtype != np.uint8
    channels = 3 if pixels.ndim == 3 else 1
    found = decode(path, layout(channels, pixels.dtype.name, 9, 5))
    source = Image.fromarray(pixels.astype(np.float32) if deep else pixels)
    expected = np.asarray(source.resize((5, 9), Image.Resampling.LANCZOS))
    if pixels.dtype == np.uint16:
        expected = np.rint(np.clip(expected, 0, 65535))
    elif deep:
        expected = np.clip(expected, 0, 1)
    assert np.array_equal(found, chw(expected) if channels == 3 else expected[None])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_resizing_does_not_overshoot(dtype):
    top = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    edge = np.zeros((1, 8, 8), dtype)
    edge[:, :, 4:] = top
    found = resize(edge, 20, 20)
    assert found.dtype == dtype
    assert found.min() == 0
    assert found.max() == top
    assert 0 < (found < top).sum() < found.size


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
def test_colour_is_resized_as_its_channels_are(height, width, channels):
    x = np.random.default_rng(height * 10 + width).integers(0, 256, (channels, 7, 5), dtype=np.uint8)
    one_by_one = np.concatenate([resize(plane[None], height, width) for plane in x])
    assert np.array_equal(resize(x, height, width), one_by_one)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([28], 28),
        ([31], 28),
        ([32], 32),
        ([5], 28),
        ([5000], 256),
        ([64, 65, 1000], 64),
        ([60, 70], 64),
        ([60, 66], 32),
    ],
)
def test_the_default_size(sides, expected):
    assert choose_size(np.array(sides), None) == expected


@pytest.mark.parametrize("size", [0, -5, 2.5, True])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match="whole number from 1 to 10,000"):
        choose_size(np.array([30]), size)


# Depths


def test_depths_round_trip():
    every8, every16 = np.arange(256, dtype=np.uint8), np.arange(65536, dtype=np.uint16)
    for deeper in ("uint16", "float32"):
        assert np.array_equal(to_depth(to_depth(every8, deeper), "uint8"), every8)
    assert np.array_equal(to_depth(to_depth(every16, "float32"), "uint16"), every16)
    assert np.array_equal(to_depth(every16, "uint8"), np.rint(every16 / 257))
    assert to_depth(every8, "uint8") is every8
    assert [to_depth(every8, depth)[-1] for depth in ("uint8", "uint16", "float32")] == [255, 65535, 1]


# The plan


def test_the_plan_is_colour_if_any_file_is(tmp_path):
    for i in range(3):
        saved(tmp_path, np.zeros((40, 33), np.uint8), f"{i}.png")
    assert plan_layout(list_images(tmp_path)) == layout(1, "uint8", 32, 32)
    saved(tmp_path, np.zeros((40, 33, 3), np.uint8), "grey-looking.png")
    assert plan_layout(list_images(tmp_path)) == layout(3, "uint8", 32, 32)
    assert plan_layout(list_images(tmp_path), size=50) == layout(3, "uint8", 50, 50)


def test_the_plan_has_the_greatest_depth(tmp_path):
    saved(tmp_path, GREY, "a.png")
    assert plan_layout(list_images(tmp_path)).depth == "uint8"
    saved(tmp_path, DEEP, "b.png")
    assert plan_layout(list_images(tmp_path)).depth == "uint16"
    saved(tmp_path, DEEP.astype(np.float32), "c.tif")
    assert plan_layout(list_images(tmp_path)).depth == "float32"


def test_the_plan_takes_the_median_of_mixed_sizes_and_passes_over_bad_files(tmp_path):
    for i, side in enumerate((20, 70, 300)):
        saved(tmp_path, np.zeros((side, side + 5), np.uint8), f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"bad")
    told = []
    found = plan_layout(list_images(tmp_path), progress=lambda *event: told.append(event))
    assert found.spec == ImageSpec(1, 64, 64)
    assert told[-1] == ("reading headers", 4, 4, "")


def test_no_readable_file_names_the_first(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"bad")
    with pytest.raises(InputError, match=r"a\.png' is not an image"):
        plan_layout(list_images(tmp_path))


# Bad files


def test_bad_files_are_named_in_one_sentence(tmp_path):
    whole = Path(saved(tmp_path, RNG.integers(0, 256, (50, 50), dtype=np.uint8), "whole.png")).read_bytes()
    jpeg = Path(saved(tmp_path, RNG.integers(0, 256, (50, 50), dtype=np.uint8), "whole.jpg")).read_bytes()
    bad = {
        "empty.png": (b"", "is empty"),
        "text.png": (b"hello, I am no image", "is not an image that can be read; accepted are PNG, JPEG"),
        "cut.png": (whole[: len(whole) // 2], "cannot be decoded, it may be damaged"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cannot be decoded, it may be damaged"),
        "bomb.png": (png(10_001, 10_000, 8, 0, b""), "10001 x 10000 pixels; the limit for one image is 100 megapixels"),
        "big-bomb.png": (png(60_000, 60_000, 8, 0, b""), "too many pixels; the limit for one image is 100 megapixels"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
    }
    for name, (data, message) in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError) as caught:
            decode(str(tmp_path / name), layout())
        assert str(tmp_path / name) in str(caught.value)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.png' does not exist"):
        decode(str(tmp_path / "gone.png"), layout())
    with pytest.raises(InputError, match="cannot be opened: Is a directory"):
        decode(str(tmp_path), layout())


def test_other_formats_are_not_tried(tmp_path):
    path = saved(tmp_path, GREY, "x.tga")
    with pytest.raises(InputError, match="is not an image that can be read"):
        decode(path, layout())


def test_running_out_of_resources_is_not_the_files_fault(tmp_path, monkeypatch):
    path = saved(tmp_path, GREY)

    def full(*_args, **_options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(opening.Image, "open", full)
    with pytest.raises(WorkError, match="Too many open files"):
        decode(path, layout())


def test_large_files_within_the_limit_raise_no_warning(tmp_path):
    path = saved(tmp_path, Image.new("1", (9_600, 9_400)), "large.tif", compression="group4")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decode(path, layout(1, "uint8", 2, 2)).shape == (1, 2, 2)
    assert caught == []


def test_the_warning_filter_is_taken_out_again(tmp_path):
    path = saved(tmp_path, GREY)
    before = list(warnings.filters)
    threads = [threading.Thread(target=lambda: [decode(path, layout()) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(InputError):
        decode(str(tmp_path / "gone.png"), layout())
    assert list(warnings.filters) == before


# What is said about it


def test_conversions_are_counted_in_lines():
    kinds = {
        Kind(True, "uint8"): 3,
        Kind(False, "uint8"): 4,
        Kind(False, "uint16"): 1,
    }
    assert conversion_lines(kinds, layout(1)) == [
        "3 colour files were converted to grey",
        "1 16-bit file was scaled to 8-bit",
    ]
    assert conversion_lines(kinds, layout(3, "float32")) == [
        "5 grey files were converted to colour",
        "7 8-bit files were scaled to float",
        "1 16-bit file was scaled to float",
    ]
    assert conversion_lines({Kind(False, "uint8"): 4}, layout(1)) == []
