"""Eight conditions of a camera and the weather at five levels, and noise: our own re-creation of CURE-TSR's conditions.

Those of CURE-TSR (Temel et al., 2017), which GradCon tests on (Kwon et al., ECCV 2020, Section 5.1), were made with
video software and cannot be had without a request. These have the same names and go on any images (B, C, H, W) in
[0, 1] of 16 pixels and more; docs/corruptions.md says what each does. What is random in an image depends on the seed,
the condition and the image's number alone, and is the same at every level: a higher level only makes it stronger.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.contracts import InputError

LEVELS = (1, 2, 3, 4, 5)

# By level. Lengths are shares of the image's shorter side.
GREYED = (0.2, 0.4, 0.6, 0.8, 1.0)  # share of the colour that is gone
RADIUS = (0.04, 0.055, 0.075, 0.1, 0.13)  # of the disc of confusion
DIRT = (0.25, 0.4, 0.55, 0.75, 0.95)  # how opaque the dirt is
GAIN = (1.2, 1.5, 1.9, 2.6, 4.0)  # of the brightness, before it is clipped
SIGMA = (0.02, 0.035, 0.05, 0.07, 0.1)  # of the Gaussian
DROPS = (12, 22, 34, 50, 70)  # streaks of rain
STREAK = (0.5, 0.65, 0.8, 1.0, 1.3)  # how thick a streak is: 1 lets 37 % through
FLAKES = (12, 24, 40, 62, 90)  # of snow, a third of them large
COVER = (0.5, 0.6, 0.7, 0.8, 0.9)  # how opaque a flake is
FOG = (0.2, 0.4, 0.7, 1.2, 2.0)  # optical depth of the farthest part

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
SOIL, WATER, WHITE = 0.25, 0.85, 0.95  # brightness of dirt, of rain, of snow and fog


def corrupt(x: Tensor, condition: str, level: int, *, seed: int, first: int = 0) -> Tensor:
    """Return images (B, C, H, W) in [0, 1] under a condition, in the same shape, type and range.

    level: 1, the mildest, to 5, or 0 for the images as they are. first: number of the first image, which with the seed
    decides what is random; neither is below 0. Raises InputError for an unknown condition or level, and for grey images
    where the condition takes colour away.
    """
    if condition not in _CONDITIONS:
        near = difflib.get_close_matches(condition, CONDITIONS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no condition {condition!r}; {meant}accepted are {', '.join(CONDITIONS)}")
    if level not in (0, *LEVELS):
        raise InputError(f"level {level!r} of {condition} is not accepted: give 1, the mildest, to 5, or 0 for none")
    if level == 0 or not len(x):
        return x.clone()
    return _CONDITIONS[condition](x, LEVELS.index(level), _Draws(condition, seed, first)).clamp(0, 1)


def gaussian_noise(x: Tensor, sigma: float, *, seed: int, first: int = 0) -> Tensor:
    """Return images (B, C, H, W) in [0, 1] with Gaussian noise of standard deviation sigma, clipped to [0, 1].

    For Figure 6 of HistoryAD, which does not say whether it clips. seed and first as in `corrupt`. Raises InputError
    for a sigma that is below 0 or not finite.
    """
    if not 0 <= sigma < math.inf:
        raise InputError(f"sigma {sigma!r} is not accepted: noise has a standard deviation of at least 0")
    return (x + sigma * _Draws("noise", seed, first).normal(x)).clamp(0, 1) if len(x) else x.clone()


class _Draws:
    """Random fields, one generator for each image: alike for the same purpose, seed and number of the image."""

    def __init__(self, purpose: str, seed: int, first: int) -> None:
        if seed < 0 or first < 0:
            raise InputError(f"seed {seed} and first image {first} are not accepted: neither may be below 0")
        self.purpose, self.seed, self.first = purpose.encode(), seed, first

    def _each(self, x: Tensor, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        keys = [(self.seed, self.first + i, *self.purpose) for i in range(len(x))]
        return torch.from_numpy(np.stack([draw(np.random.default_rng(key)) for key in keys])).to(x)

    def uniform(self, x: Tensor, height: int, width: int) -> Tensor:
        """Fields (B, height, width) in [0, 1); a lower one begins with the same rows."""
        return self._each(x, lambda rng: rng.random((height, width)))

    def smooth(self, x: Tensor, cells: int) -> Tensor:
        """Fields (B, 1, H, W) that swing between about 0 and 1 and are alike at any size."""
        return F.interpolate(self.uniform(x, cells, cells)[:, None], x.shape[2:], mode="bicubic", align_corners=False)

    def normal(self, x: Tensor) -> Tensor:
        """Fields like the images, of mean 0 and variance 1."""
        return self._each(x, lambda rng: rng.standard_normal(x.shape[1:]))


def _decolorization(x: Tensor, level: int, draws: _Draws) -> Tensor:
    if x.shape[1] != 3:
        raise InputError("decolorization takes colour away, and these images are grey: leave the condition out")
    grey = (x * x.new_tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
    return torch.lerp(x, grey.expand_as(x), GREYED[level])


def _lens_blur(x: Tensor, level: int, draws: _Draws) -> Tensor:
    radius, fine = RADIUS[level] * _side(x), 8  # points across a pixel
    inside = (_far(x, radius, fine) <= radius).to(x)
    return _filter(x, F.avg_pool2d(inside[None], fine)[0])  # the disc's share of each pixel


def _dirty_lens(x: Tensor, level: int, draws: _Draws) -> Tensor:
    opacity = ((draws.smooth(x, 6) - 0.4) * 2.5).clamp(0, 1)
    return _cover(x, DIRT[level] * opacity, SOIL)


def _exposure(x: Tensor, level: int, draws: _Draws) -> Tensor:
    return x * GAIN[level]


def _gaussian_blur(x: Tensor, level: int, draws: _Draws) -> Tensor:
    sigma = SIGMA[level] * _side(x)
    edges = torch.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 2).to(x) - 0.5
    share = torch.erf(edges / (sigma * math.sqrt(2))).diff()  # of the Gaussian, in each pixel
    return _filter(x, share[:, None] * share)


def _rain(x: Tensor, level: int, draws: _Draws) -> Tensor:
    length, width = 0.25 * _side(x), 0.008 * _side(x)
    reach = torch.arange(-math.ceil(length / 2 + width), math.ceil(length / 2 + width) + 1).to(x)
    along = (0.95 * reach[:, None] + 0.31 * reach).clamp(-length / 2, length / 2)  # 18 degrees from upright
    distance = torch.hypot(reach[:, None] - 0.95 * along, reach - 0.31 * along)
    streak = (width + 0.5 - distance).clamp(0, 1)
    water = _stamp(x, draws.uniform(x, DROPS[level], 2), streak)
    return _cover(x, 1 - torch.exp(-STREAK[level] * water), WATER)


def _snow(x: Tensor, level: int, draws: _Draws) -> Tensor:
    small, large = (((r + 0.5 - _far(x, r)) / max(1, r / 2)).clamp(0, 1) for r in (0.02 * _side(x), 0.04 * _side(x)))
    at = draws.uniform(x, FLAKES[level], 2)
    flakes = _stamp(x, at, small) + _stamp(x, at[:, ::3], large)
    return _cover(x, COVER[level] * flakes.clamp(0, 1), WHITE)


def _haze(x: Tensor, level: int, draws: _Draws) -> Tensor:
    height = torch.linspace(1, 0.5, x.shape[2]).to(x)[:, None]  # what is farther away stands higher
    depth = (0.7 * height + 0.3 * draws.smooth(x, 3).clamp(0, 1)) * FOG[level]
    return _cover(x, 1 - torch.exp(-depth), WHITE)


def _side(x: Tensor) -> int:
    return min(x.shape[2:])


def _far(x: Tensor, radius: float, fine: int = 1) -> Tensor:
    """Distance in pixels from the middle of a square in which a soft disc fits, at fine * fine points of each pixel."""
    pixels = 2 * math.ceil(radius) + 1
    at = (torch.arange(pixels * fine).to(x) + 0.5) / fine - pixels / 2
    return torch.hypot(at[:, None], at)


def _cover(x: Tensor, opacity: Tensor, value: float) -> Tensor:
    """Lay something of one brightness over images, as opaque as it is at each pixel."""
    return x * (1 - opacity) + value * opacity


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    """Average of each pixel's neighbours by the weights of a symmetric kernel of odd sides; the border is repeated."""
    down, across = kernel.shape
    padded = F.pad(x, (across // 2, across // 2, down // 2, down // 2), mode="replicate")
    size = padded.shape[2:]
    waves = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel / kernel.sum(), s=size)
    return torch.fft.irfft2(waves, s=size)[..., down - 1 :, across - 1 :]  # what comes before wraps around


def _stamp(x: Tensor, at: Tensor, kernel: Tensor) -> Tensor:
    """Add up a kernel of odd sides that is put at N places (B, N, 2) of each image, from 0 to 1 across it and down."""
    (height, width), (down, across) = x.shape[2:], kernel.shape
    row, column = (at[..., i, None, None].mul(n).long().clamp(max=n - 1) for i, n in ((1, height), (0, width)))
    wide = width + across - 1
    where = (row + torch.arange(down)[:, None]) * wide + column + torch.arange(across)  # (B, N, down, across)
    canvas = x.new_zeros(len(x), (height + down - 1) * wide)
    canvas.scatter_add_(1, where.flatten(1), kernel.expand(where.shape).flatten(1))
    middle = canvas.view(len(x), 1, -1, wide)
    return middle[:, :, down // 2 : down // 2 + height, across // 2 : across // 2 + width]


_CONDITIONS: dict[str, Callable[[Tensor, int, _Draws], Tensor]] = {
    "decolorization": _decolorization,
    "lens blur": _lens_blur,
    "dirty lens": _dirty_lens,
    "exposure": _exposure,
    "gaussian blur": _gaussian_blur,
    "rain": _rain,
    "snow": _snow,
    "haze": _haze,
}

CONDITIONS = tuple(_CONDITIONS)
"""Names of the conditions."""
