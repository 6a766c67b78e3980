"""Pictures keep to their limits, and maps are read by their lightness."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from amiss.contracts import ImageSpec
from amiss.data.images import Layout
from amiss.explain.showing import INFERNO
from amiss.report.pictures import COUNTERPART, LARGE, MAP, NEAREST, SMALL, Window, heat, picture


def decoded(found):
    kind, data = found.uri.split(",")
    assert kind == "data:image/webp;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.size == (found.width, found.height)
    return np.asarray(image.convert("RGB"))


def size(found):
    return len(base64.b64decode(found.uri.split(",")[1]))


@pytest.mark.parametrize("limit", [SMALL, LARGE, COUNTERPART, MAP, NEAREST])
@pytest.mark.parametrize("shape", [(3, 256, 256), (1, 256, 256), (3, 64, 64), (3, 200, 40), (1, 28, 28), (1, 1, 1)])
def test_noise_keeps_to_the_limit(limit, shape):
    found = picture(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), limit)
    assert size(found) <= limit.size
    assert max(found.width, found.height) <= limit.side
    assert abs(found.width / found.height - shape[2] / shape[1]) < 0.1 * shape[2] / shape[1]


def test_small_pictures_keep_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    assert (decoded(picture(image, SMALL))[..., 0] == image[0]).all()


def test_colours_keep_their_place():
    image = np.zeros((3, 96, 96), np.uint8)
    image[0, :48], image[2, 48:] = 255, 255
    seen = decoded(picture(image, SMALL)).astype(int)
    assert seen[10, 48, 0] > 200 > 60 > seen[10, 48, 2]
    assert seen[85, 48, 2] > 200 > 60 > seen[85, 48, 0]


def test_deep_images_are_shown_in_the_range_that_they_use():
    layout = Layout(ImageSpec(1, 8, 8), "uint16")
    pixels = np.random.default_rng(0).integers(1000, 4000, (50, 1, 8, 8)).astype(np.uint16)
    seen = Window.of(pixels, layout).apply(pixels[0])
    assert seen.dtype == np.uint8
    assert seen.max() > 230
    assert seen.min() < 25
    eight = Layout(ImageSpec(1, 8, 8), "uint8")
    dark = (pixels % 40).astype(np.uint8)
    assert (Window.of(dark, eight).apply(dark[0]) == dark[0]).all()
    flat = Layout(ImageSpec(1, 8, 8), "float32")
    assert Window.of(np.zeros((2, 1, 8, 8), np.float32), flat) == Window(0, 1)


def lightness(rgb):
    """CIE L* of sRGB values (..., 3) in 0..255."""
    linear = np.asarray(rgb) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


def test_the_scale_of_maps_rises_evenly_in_lightness():
    steps = np.diff(lightness(INFERNO))
    assert (steps > 0).all()
    assert steps.max() < 2 * steps.mean()


def test_higher_values_are_lighter_and_those_beyond_the_end_stay_there():
    values = np.tile(np.linspace(0, 2, 64), (64, 1))
    seen = lightness(decoded(heat(values, 1.0)))[32]
    assert seen[0] < 5
    assert (np.diff(seen[:32]) > -3).all()
    assert np.ptp(seen[34:]) < 3
    assert seen[-1] > 90
    assert lightness(decoded(heat(np.zeros((8, 8)), 0.0))).max() < 5
