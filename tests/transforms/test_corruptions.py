"""Conditions at five levels: seeded by image, stronger with the level, harmless to shape and range."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amiss.contracts import InputError
from amiss.data.demo import load_demo
from amiss.transforms import corruptions
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt, gaussian_noise
from amiss.transforms.unit import to_unit


@pytest.fixture(scope="module")
def photos():
    """Thirty real images, coloured: three pieces of clothing as the channels of each."""
    x = to_unit(load_demo().test.take(np.arange(90)))
    return x.reshape(30, 3, 28, 28)


def resized(x, side):
    return torch.nn.functional.interpolate(x, (side, side), mode="bilinear", align_corners=False, antialias=True)


def strengths(x, condition):
    """Mean squared change (levels, B)."""
    return torch.stack([(corrupt(x, condition, level, seed=3) - x).square().flatten(1).mean(1) for level in LEVELS])


def test_the_eight_of_the_paper():
    assert set(CONDITIONS) == {
        *("decolorization", "lens blur", "dirty lens", "exposure", "gaussian blur", "rain", "snow", "haze"),
    }


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("side", [16, 28, 64])
def test_every_image_changes_more_with_every_level(photos, condition, side):
    found = strengths(resized(photos, side), condition)
    assert (found[0] > 1e-5).all()  # more than rounding to 8 bits, (1/255)² / 12
    assert (found.diff(dim=0) > 0).all()


@pytest.mark.parametrize("condition", ["dirty lens", "rain", "snow", "haze"])
def test_every_pixel_changes_no_less_with_every_level(photos, condition):
    moved = torch.stack([(corrupt(photos, condition, level, seed=3) - photos).abs() for level in (0, *LEVELS)])
    assert (moved.diff(dim=0) > -1e-6).all()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_black_or_white_image_survives(condition):
    for value in (0.0, 1.0):
        x = torch.full((2, 3, 20, 16), value)
        found = strengths(x, condition)
        assert (found.diff(dim=0) >= -1e-12).all()
        assert ((found > 1e-5).all()) == (condition in ("dirty lens", "rain", "snow", "haze"))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_level_means_the_same_at_any_size(photos, condition):
    smooth = resized(resized(photos, 16), 64)  # no detail that only the larger one has
    small, large = (strengths(resized(smooth, side), condition).mean(1) for side in (32, 64))
    assert (large / small).log2().abs().max() < 1


@pytest.mark.parametrize("condition", CONDITIONS)
def test_an_image_is_changed_alone_as_in_any_batch(photos, condition):
    x = photos.double()
    whole = corrupt(x, condition, 4, seed=5, first=10)
    for i in (0, 7, 29):
        alone = corrupt(x[i : i + 1], condition, 4, seed=5, first=10 + i)
        assert torch.allclose(alone[0], whole[i], rtol=1e-9, atol=1e-12)
    backwards = torch.cat([corrupt(x[i : i + 1], condition, 4, seed=5, first=10 + i) for i in (2, 1, 0)])
    assert torch.allclose(backwards.flip(0), whole[:3], rtol=1e-9, atol=1e-12)
    assert torch.equal(corrupt(x, condition, 4, seed=5, first=10), whole)


@pytest.mark.parametrize("condition", ["dirty lens", "rain", "snow", "haze"])
def test_what_is_random_depends_on_seed_and_number(photos, condition):
    same = photos[:1].expand(2, -1, -1, -1)
    a, b = corrupt(same, condition, 5, seed=0)
    assert not torch.equal(a, b)
    assert not torch.equal(a, corrupt(same, condition, 5, seed=1)[0])


@pytest.mark.parametrize("condition", CONDITIONS)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(16, 48),
    width=st.integers(16, 48),
    n=st.integers(0, 3),
    level=st.sampled_from([0, *LEVELS]),
    double=st.booleans(),
)
def test_shape_type_and_range_are_kept(condition, channels, height, width, n, level, double):
    if condition == "decolorization":
        channels = 3
    x = torch.rand(n, channels, height, width, dtype=torch.float64 if double else torch.float32)
    before = x.clone()
    made = corrupt(x, condition, level, seed=0)
    assert made.shape == x.shape
    assert made.dtype == x.dtype
    assert torch.equal(x, before)
    assert made.isfinite().all()
    assert ((made >= 0) & (made <= 1)).all()
    if level == 0:
        assert torch.equal(made, x)


def test_decolorization_leaves_the_luminance(photos):
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    made = corrupt(photos, "decolorization", 5, seed=0)
    assert torch.allclose(made[:, 0], (photos * weights).sum(1), atol=1e-6)
    assert torch.equal(made[:, 0], made[:, 1])


@pytest.mark.parametrize("condition", ["lens blur", "gaussian blur"])
def test_blur_keeps_flat_images_flat(condition):
    x = torch.full((1, 1, 20, 20), 0.3)
    assert torch.allclose(corrupt(x, condition, 5, seed=0), x, atol=1e-6)


def gaussian_share(i, j, sigma):
    def across(k):
        return math.erf((k + 0.5) / sigma / math.sqrt(2)) - math.erf((k - 0.5) / sigma / math.sqrt(2))

    return across(i) * across(j)


def disc_share(i, j, radius):
    inner = (np.arange(8) + 0.5) / 8 - 0.5
    return np.mean([math.hypot(i + a, j + b) <= radius for a in inner for b in inner])


@pytest.mark.parametrize(
    ("condition", "share", "length"),
    [("gaussian blur", gaussian_share, corruptions.SIGMA[2]), ("lens blur", disc_share, corruptions.RADIUS[2])],
)
def test_a_blur_is_a_slow_sum_over_neighbours(condition, share, length):
    x = torch.rand(1, 3, 18, 20, dtype=torch.float64)
    made = corrupt(x, condition, 3, seed=0)[0, 1]
    reach = range(-math.ceil(4 * length * 18), math.ceil(4 * length * 18) + 1)
    weights = {(i, j): share(i, j, length * 18) for i in reach for j in reach}
    for row, column in ((9, 7), (0, 0), (17, 19), (3, 18)):  # at the border the last pixel is repeated
        total = sum(
            w * x[0, 1, min(max(row + i, 0), 17), min(max(column + j, 0), 19)].item() for (i, j), w in weights.items()
        )
        assert made[row, column].item() == pytest.approx(total / sum(weights.values()), rel=1e-9)


def test_rain_falls_where_it_is_drawn():
    x = torch.zeros(2, 1, 16, 24, dtype=torch.float64)
    at = torch.tensor([[[0.0, 0.0], [0.5, 0.25]], [[0.999, 0.999], [0.5, 0.25]]], dtype=torch.float64)
    kernel = torch.arange(1.0, 16).reshape(3, 5).double()
    expected = x.clone()
    for b in range(2):
        for across, down in at[b].tolist():
            for i in range(3):
                for j in range(5):
                    row, column = int(down * 16) + i - 1, int(across * 24) + j - 2
                    if 0 <= row < 16 and 0 <= column < 24:
                        expected[b, 0, row, column] += kernel[i, j]
    assert torch.equal(corruptions._stamp(x, at, kernel), expected)


def test_noise_has_the_standard_deviation_that_it_says():
    x = torch.full((4, 1, 64, 64), 0.5, dtype=torch.float64)
    made = gaussian_noise(x, 0.05, seed=0)
    assert (made - x).std().item() == pytest.approx(0.05, rel=0.02)
    assert torch.equal(made[2:3], gaussian_noise(x[:1], 0.05, seed=0, first=2))
    assert torch.equal(gaussian_noise(x, 0, seed=0), x)
    loud = gaussian_noise(x, 5, seed=0)
    assert loud.min() == 0
    assert loud.max() == 1
    assert torch.allclose((made - x) * 2, gaussian_noise(x, 0.1, seed=0) - x)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x: corrupt(x, "rian", 1, seed=0), "no condition 'rian'; did you mean 'rain'"),
        (lambda x: corrupt(x, "rain", 6, seed=0), "level 6 of rain is not accepted: give 1"),
        (lambda x: corrupt(x, "decolorization", 1, seed=0), "takes colour away, and these images are grey"),
        (lambda x: corrupt(x, "rain", 2.5, seed=0), "level 2.5 of rain is not accepted"),
        (lambda x: corrupt(x, "fog of war", 1, seed=0), "accepted are decolorization, lens blur"),
        (lambda x: corrupt(x, "rain", 1, seed=-1), "seed -1 and first image 0 are not accepted"),
        (lambda x: corrupt(x, "rain", 1, seed=0, first=-2), "neither may be below 0"),
        (lambda x: gaussian_noise(x, -1, seed=0), "sigma -1 is not accepted"),
        (lambda x: gaussian_noise(x, float("nan"), seed=0), "sigma nan is not accepted"),
    ],
)
def test_what_cannot_be_is_said(call, told):
    with pytest.raises(InputError, match=told):
        call(torch.zeros(1, 1, 16, 16))


TABLES = {
    "decolorization": ["GREYED"],
    "lens blur": ["RADIUS"],
    "dirty lens": ["DIRT"],
    "exposure": ["GAIN"],
    "gaussian blur": ["SIGMA"],
    "rain": ["DROPS", "STREAK"],
    "snow": ["FLAKES", "COVER"],
    "haze": ["FOG"],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_page_has_the_values_of_the_levels(condition):
    page = Path(__file__).parents[2] / "docs" / "corruptions.md"
    (row,) = [line for line in page.read_text().splitlines() if line.startswith(f"| {condition} |")]
    for table in TABLES[condition]:
        values = getattr(corruptions, table)
        assert len(values) == len(LEVELS)
        assert ", ".join(f"{value:g}" for value in values) in row
