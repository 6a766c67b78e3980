"""What the networks for images of 28 and 32 pixels share: the check of the size, and channels by width."""

from __future__ import annotations

from amiss.contracts import ImageSpec, InputError

SIDES = (28, 32)


def check_spec(spec: ImageSpec) -> None:
    """Raise InputError unless images are 28x28 or 32x32 pixels."""
    if spec.height != spec.width or spec.height not in SIDES:
        raise InputError(
            f"images of {spec.height}x{spec.width} pixels do not fit networks made for 28x28 and 32x32: "
            f"give --size 28 or --size 32"
        )


def scaled(channels: int, width: float, floor: int) -> int:
    """A share of the published channels, but never below `floor`."""
    return max(floor, round(channels * width))
