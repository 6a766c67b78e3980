"""Conditions at five levels: seeded by image, stronger with the level, harmless to shape and range."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amiss.contracts import InputError
from amiss.data.demo import load_demo
from amiss.transforms.corruptions import CONDITIONS, LEVELS, corrupt, gaussian_noise
from amiss.transforms.unit import to_unit


@pytest.fixture(scope="module")
def photos():
    """Thirty real images, coloured: three pieces of clothing as the channels of each."""
    x = to_unit(load_demo().test.take(np.arange(90)))
    return x.reshape(30, 3, 28, 28)


def strengths(x, condition):
    """Mean squared change (levels, B)."""
    return torch.stack([(corrupt(x, condition, level, seed=3) - x).square().flatten(1).mean(1) for level in LEVELS])


def test_the_eight_of_the_paper():
    assert set(CONDITIONS) == {
        *("decolorization", "lens blur", "dirty lens", "exposure", "gaussian blur", "rain", "snow", "haze"),
    }


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_image_changes_more_with_every_level(photos, condition):
    found = strengths(photos, condition)
    assert (found[0] > 0).all()
    assert (found.diff(dim=0) > 0).all()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_an_image_is_changed_alone_as_in_any_batch(photos, condition):
    whole = corrupt(photos, condition, 4, seed=5, first=10)
    for i in (0, 7, 29):
        alone = corrupt(photos[i : i + 1], condition, 4, seed=5, first=10 + i)
        assert torch.allclose(alone[0], whole[i], atol=1e-6)
    assert torch.equal(corrupt(photos, condition, 4, seed=5, first=10), whole)


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


def test_a_gaussian_blur_is_that_of_a_slow_sum():
    x = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    sigma, at = 0.045 * 16, (8, 7)
    total, weight = 0.0, 0.0
    reach = int(np.ceil(3 * sigma))
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            w = np.exp(-(i * i + j * j) / (2 * sigma**2))
            total += w * x[0, 0, at[0] + i, at[1] + j].item()
            weight += w
    made = corrupt(x, "gaussian blur", 3, seed=0)[0, 0, at[0], at[1]].item()
    assert made == pytest.approx(total / weight, rel=1e-9)


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
        (lambda x: gaussian_noise(x, -1, seed=0), "sigma -1 is not accepted"),
        (lambda x: gaussian_noise(x, float("nan"), seed=0), "sigma nan is not accepted"),
    ],
)
def test_what_cannot_be_is_said(call, told):
    with pytest.raises(InputError, match=told):
        call(torch.zeros(1, 1, 16, 16))
