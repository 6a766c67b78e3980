"""The grid of rotations and translations against a bilinear sampler written as four loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from amiss.adversaries.spatial import Grid, move, spaced


def slow_move(image: Tensor, angle: float, down: float, across: float) -> Tensor:
    """One image (C, H, W), one pixel at a time; y points down, so anticlockwise takes up to left."""
    _, height, width = image.shape
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            y, x = row - (height - 1) / 2 - down, column - (width - 1) / 2 - across
            from_y, from_x = s * x + c * y + (height - 1) / 2, c * x - s * y + (width - 1) / 2
            for r in (math.floor(from_y), math.floor(from_y) + 1):
                for k in (math.floor(from_x), math.floor(from_x) + 1):
                    if 0 <= r < height and 0 <= k < width:
                        out[:, row, column] += (1 - abs(from_y - r)) * (1 - abs(from_x - k)) * image[:, r, k]
    return out


@pytest.mark.parametrize(("angle", "down", "across"), [(0, 0, 0), (30, 0, 0), (-17, 2, -1), (90, 0, 3), (8, -4, 4)])
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 6, 9)])
def test_a_move_is_the_slow_one(shape: tuple[int, ...], angle: float, down: float, across: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(shape, dtype=torch.float64)
    slow = torch.stack([slow_move(image, angle, down, across) for image in x])
    torch.testing.assert_close(move(x, angle, down, across), slow, rtol=1e-9, atol=1e-12)
    assert slow.std() > 0.01


def test_moves_have_their_directions() -> None:
    x = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    x[0, 0, 1, 2] = 1  # above the middle
    assert move(x, 90, 0, 0)[0, 0, 2, 1].item() == pytest.approx(1)  # anticlockwise: left of it
    assert move(x, 0, 1, -2)[0, 0, 2, 0].item() == pytest.approx(1)


def test_channels_last_images_move_alike() -> None:
    x = torch.rand(3, 3, 6, 6)
    assert torch.equal(move(x.contiguous(memory_format=torch.channels_last), 10, 1, 0), move(x, 10, 1, 0))


def test_the_grid_is_the_papers() -> None:
    moves = list(Grid().moves())
    assert len(moves) == len(set(moves)) == 279
    assert {angle for angle, _, _ in moves} == {float(a) for a in range(-30, 31, 2)}
    assert {(down, across) for _, down, across in moves} == {(a, b) for a in (-4, 0, 4) for b in (-4, 0, 4)}
    assert spaced(7.0, 1) == [0.0]


def test_each_image_gets_its_own_worst_move() -> None:
    torch.manual_seed(0)
    grid = Grid(max_angle=20, angles=5, shift=2, shifts=3)
    x, weights = torch.rand(6, 2, 7, 7, dtype=torch.float64), torch.randn(6, 2, 7, 7, dtype=torch.float64)

    def objective(v: Tensor) -> Tensor:
        assert len(v) == 6  # the batch as it came: memory does not grow with the grid
        return (v * weights).sum((1, 2, 3))

    found = grid(objective, x)
    every = torch.stack([move(x, *m) for m in grid.moves()])  # (45, 6, 2, 7, 7)
    values = torch.stack([objective(moved) for moved in every])
    chosen = values.argmax(0)
    assert torch.equal(found, every[chosen, torch.arange(6)])
    assert len(chosen.unique()) > 1
    assert (objective(found) >= objective(x) - 1e-9).all()  # not moving is one of the moves


def test_no_images_stay_none() -> None:
    assert Grid(angles=3)(lambda v: v.sum((1, 2, 3)), torch.rand(0, 1, 8, 8)).shape == (0, 1, 8, 8)
