"""Eight conditions of a camera and the weather at five levels, and noise: our own re-creation of CURE-TSR's conditions.

Those of CURE-TSR (Temel et al., 2017), which GradCon tests on (Kwon et al., ECCV 2020, Section 5.2), were made with
video software and cannot be had without a request. These have the same names and go on any images (B, C, H, W) in
[0, 1]; docs/corruptions.md says what each does. What is random in an image depends on the seed and the image's number
alone, and is the same at every level: a higher level only makes it stronger.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.contracts import InputError

LEVELS = (1, 2, 3, 4, 5)

GREYED = (0.2, 0.4, 0.6, 0.8, 1.0)  # share of the colour that is gone
RADIUS = (0.02, 0.035, 0.05, 0.07, 0.095)  # of the disc of confusion, in sides of the image
SIGMA = (0.015, 0.03, 0.045, 0.065, 0.09)  # of the Gaussian, in sides
DIRT = (0.2, 0.4, 0.55, 0.75, 0.95)  # how opaque the dirt is
GAIN = (1.2, 1.5, 1.9, 2.6, 4.0)  # of the brightness, before it is clipped
DROPS, STREAK = (0.01, 0.02, 0.035, 0.05, 0.07), (0.3, 0.45, 0.6, 0.75, 0.9)  # per pixel; how opaque a streak is
FLAKES, COVER = (0.005, 0.012, 0.025, 0.04, 0.06), (0.5, 0.6, 0.7, 0.8, 0.9)  # per pixel; how opaque a flake is
FOG = (0.25, 0.5, 0.85, 1.4, 2.3)  # optical depth of the farthest part

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
GREY, WHITE = 0.35, 0.95  # of dirt; of rain, snow and fog
ANGLE = (0.35, 1.0)  # across and down: how rain falls


def corrupt(x: Tensor, condition: str, level: int, *, seed: int, first: int = 0) -> Tensor:
    """Return images (B, C, H, W) in [0, 1] under a condition, in the same shape, type and range.

    level: 1, the mildest, to 5, or 0 for the images as they are. first: number of the first image, which with the seed
    decides what is random. Raises InputError for an unknown condition or level, and for grey images where the condition
    takes colour away.
    """
    if condition not in _CONDITIONS:
        near = difflib.get_close_matches(condition, CONDITIONS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no condition {condition!r}; {meant}accepted are {', '.join(CONDITIONS)}")
    if level not in (0, *LEVELS):
        raise InputError(f"level {level!r} of {condition} is not accepted: give 1, the mildest, to 5, or 0 for none")
    if level == 0 or not len(x):
        return x.clone()
    return _CONDITIONS[condition](x, level - 1, _Draws(seed, first)).clamp(0, 1)


def gaussian_noise(x: Tensor, sigma: float, *, seed: int, first: int = 0) -> Tensor:
    """Return images (B, C, H, W) in [0, 1] with Gaussian noise of standard deviation sigma, clipped to [0, 1].

    As Figure 6 of HistoryAD. Raises InputError for a sigma below 0.
    """
    if not sigma >= 0:
        raise InputError(f"sigma {sigma!r} is not accepted: noise has a standard deviation of at least 0")
    return (x + sigma * _Draws(seed, first).normal(x)).clamp(0, 1)


class _Draws:
    """Random fields, one generator an image."""

    def __init__(self, seed: int, first: int) -> None:
        self.seed, self.first = seed, first

    def _each(self, x: Tensor, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        fields = [draw(np.random.default_rng((self.seed, self.first + i))) for i in range(len(x))]
        shape = (0, 1, *x.shape[2:])
        return torch.from_numpy(np.stack(fields)).to(x) if fields else x.new_zeros(shape)

    def uniform(self, x: Tensor, height: int, width: int) -> Tensor:
        """Fields (B, 1, height, width) in [0, 1)."""
        return self._each(x, lambda rng: rng.random((1, height, width)))

    def normal(self, x: Tensor) -> Tensor:
        """Fields like the images, of mean 0 and variance 1."""
        return self._each(x, lambda rng: rng.standard_normal(x.shape[1:]))


def _decolorization(x: Tensor, level: int, draws: _Draws) -> Tensor:
    if x.shape[1] != 3:
        raise InputError("decolorization takes colour away, and these images are grey: leave the condition out")
    grey = (x * x.new_tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)
    return torch.lerp(x, grey.expand_as(x), GREYED[level])


def _lens_blur(x: Tensor, level: int, draws: _Draws) -> Tensor:
    radius = RADIUS[level] * _side(x)
    reach = int(np.ceil(radius))
    at = torch.arange(-reach, reach + 1).to(x)
    distance = (at[:, None].square() + at.square()).sqrt()
    return _filter(x, (radius + 0.5 - distance).clamp(0, 1))


def _gaussian_blur(x: Tensor, level: int, draws: _Draws) -> Tensor:
    return _filter(x, _bell(x, SIGMA[level] * _side(x)))


def _dirty_lens(x: Tensor, level: int, draws: _Draws) -> Tensor:
    cells = 6  # blotches are a sixth of a side apart
    blotches = F.interpolate(draws.uniform(x, cells, cells), x.shape[2:], mode="bicubic", align_corners=False)
    opacity = ((blotches - 0.55) * 4).clamp(0, 1)
    return _cover(x, DIRT[level] * opacity, GREY)


def _exposure(x: Tensor, level: int, draws: _Draws) -> Tensor:
    return x * GAIN[level]


def _rain(x: Tensor, level: int, draws: _Draws) -> Tensor:
    length = max(3, round(0.22 * _side(x)))
    steps = torch.linspace(0, 1, 2 * length)
    kernel = torch.zeros(length, length)
    kernel[(steps * ANGLE[1] * (length - 1)).round().long(), (steps * ANGLE[0] * (length - 1)).round().long()] = 1
    drops = (draws.uniform(x, *x.shape[2:]) < DROPS[level]).to(x)
    streaks = _spread(drops, kernel.to(x)).clamp(0, 1)
    return _cover(x, STREAK[level] * streaks, WHITE)


def _snow(x: Tensor, level: int, draws: _Draws) -> Tensor:
    field = draws.uniform(x, *x.shape[2:])
    side = _side(x)
    large, small = ((field < FLAKES[level] / 4).to(x), (field < FLAKES[level]).to(x))
    flakes = _spread(large, _round(x, 0.05 * side)) + _spread(small, _round(x, 0.022 * side))
    return _cover(x, COVER[level] * flakes.clamp(0, 1), WHITE)


def _haze(x: Tensor, level: int, draws: _Draws) -> Tensor:
    swirls = F.interpolate(draws.uniform(x, 3, 3), x.shape[2:], mode="bicubic", align_corners=False)
    height = torch.linspace(1, 0.5, x.shape[2]).to(x)[:, None]  # what is farther away stands higher
    depth = (0.8 * height + 0.2 * swirls.clamp(0, 1)) * FOG[level]
    return _cover(x, 1 - torch.exp(-depth), WHITE)


def _side(x: Tensor) -> int:
    return min(x.shape[2:])


def _cover(x: Tensor, opacity: Tensor, value: float) -> Tensor:
    """Lay something of one brightness over images, as opaque as it is at each pixel."""
    return x * (1 - opacity) + value * opacity


def _bell(x: Tensor, sigma: float) -> Tensor:
    reach = int(np.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1).to(x)
    line = torch.exp(-at.square() / (2 * sigma**2))
    return line[:, None] * line


def _round(x: Tensor, radius: float) -> Tensor:
    """A soft disc, 1 in its middle."""
    reach = int(np.ceil(radius))
    at = torch.arange(-reach, reach + 1).to(x)
    return (radius + 0.5 - (at[:, None].square() + at.square()).sqrt()).clamp(0, 1)


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    """Average of each pixel's neighbours by the weights of a kernel; the border is repeated."""
    return _spread(x, kernel / kernel.sum(), "replicate")


def _spread(x: Tensor, kernel: Tensor, border: str = "constant") -> Tensor:
    """Put a kernel at every pixel of each channel, as strong as the pixel, and add them up."""
    down, across = kernel.shape
    room = (across // 2, (across - 1) // 2, down // 2, (down - 1) // 2)
    padded = F.pad(x, room, mode=border)
    weight = kernel.flip(0, 1)[None, None].expand(x.shape[1], 1, down, across)
    return F.conv2d(padded, weight, groups=x.shape[1])


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
