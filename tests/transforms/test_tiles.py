"""Tiles: cutting, stitching and pooling against oracles that look at one pixel or one image at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amiss.contracts import InputError
from amiss.transforms.tiles import Tiling, corners, count, coverage, cut, offsets, pool, stitch, uncut

sides = st.integers(1, 9)


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    side = draw(sides)
    return Tiling(side, draw(st.integers(0, side - 1)))


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Tiling, tuple[int, int]]:
    tiling = draw(tilings())
    return tiling, (tiling.side + draw(st.integers(0, 25)), tiling.side + draw(st.integers(0, 25)))


@given(tilings(), st.integers(0, 60))
def test_offsets_cover_every_pixel_share_the_overlap_and_end_flush(tiling: Tiling, more: int) -> None:
    length, side = tiling.side + more, tiling.side
    starts = offsets(length, side, tiling.overlap)
    assert starts[0] == 0
    assert starts[-1] + side == length
    steps = np.diff(starts)
    assert (steps >= 1).all()
    assert (steps <= side - tiling.overlap).all()
    assert not len(steps) or steps.max() - steps.min() <= 1
    fewer = len(starts) - 1  # one tile less could not share as much
    assert fewer == 0 or fewer * side - (fewer - 1) * tiling.overlap < length


@given(shapes(), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_cut_is_slicing_and_uncut_undoes_it(given_: tuple[Tiling, tuple[int, int]], dtype: type) -> None:
    tiling, shape = given_
    image = np.random.default_rng(0).integers(0, 200, (3, *shape)).astype(dtype)
    tiles, side = cut(image, tiling), tiling.side
    expected = [
        image[:, y : y + side, x : x + side]
        for y in offsets(shape[0], side, tiling.overlap)
        for x in offsets(shape[1], side, tiling.overlap)
    ]
    np.testing.assert_array_equal(tiles, expected)
    assert len(tiles) == count(shape, tiling) == len(corners(shape, tiling))
    assert tiles.dtype == dtype
    np.testing.assert_array_equal(uncut(tiles, shape, tiling), image)


@given(shapes())
def test_stitch_is_the_mean_over_the_tiles_of_each_pixel(given_: tuple[Tiling, tuple[int, int]]) -> None:
    tiling, shape = given_
    maps = np.random.default_rng(1).random((count(shape, tiling), tiling.side, tiling.side)).astype(np.float32)
    values: list[list[list[float]]] = [[[] for _ in range(shape[1])] for _ in range(shape[0])]
    for (y, x), tile in zip(corners(shape, tiling), maps, strict=True):
        for i in range(tiling.side):
            for j in range(tiling.side):
                values[y + i][x + j].append(float(tile[i, j]))
    expected = [[np.mean(pixel) for pixel in row] for row in values]
    np.testing.assert_allclose(stitch(maps, shape, tiling), expected, rtol=1e-6)
    np.testing.assert_array_equal(coverage(shape, tiling), [[len(pixel) for pixel in row] for row in values])


@given(st.lists(st.integers(1, 6), max_size=5), st.integers(1, 8), st.integers(0, 3))
def test_pool_is_the_mean_of_the_highest_of_each_image(counts: list[int], k: int, levels: int) -> None:
    rng = np.random.default_rng(len(counts))
    scores = rng.integers(0, levels + 1, sum(counts)).astype(float)  # few levels, so that scores are equal
    values = rng.random(sum(counts))
    expected, start = [], 0
    for n in counts:
        order = sorted(range(start, start + n), key=lambda t: (-scores[t], t))[:k]
        expected.append(np.mean([values[t] for t in order]))
        start += n
    np.testing.assert_allclose(pool(values, scores, np.array(counts, np.int64), k), expected, rtol=1e-12)


def test_the_highest_score_is_kept_to_the_bit() -> None:
    scores = np.random.default_rng(0).random(40)
    pooled = pool(scores, scores, np.full(4, 10), 1)
    np.testing.assert_array_equal(pooled, scores.reshape(4, 10).max(1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tiling.of(0), "a tile of 0 pixels"),
        (lambda: Tiling.of(8.5), r"a tile of 8\.5 pixels"),
        (lambda: Tiling.of(8, 8), "a tile overlap of 8 pixels is not accepted: tiles of 8 can share 0 to 7"),
        (lambda: Tiling.of(8, -1), "a tile overlap of -1 pixels"),
        (lambda: Tiling.of(8, 2, 0), "a tile pool of 0"),
        (lambda: Tiling.of(8, size=7), "the size 7 cannot be cut into tiles of 8 pixels"),
        (lambda: Tiling.of(None, 2), r"a tile overlap of 2 says nothing without tiles: give tile= \(--tile\) too"),
        (lambda: Tiling.of(None, None, 2), "a tile pool of 2 says nothing without tiles"),
        (lambda: offsets(7, 8, 2), "7 pixels are fewer than a tile of 8"),
    ],
)
def test_what_makes_no_sense_is_refused(make, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()


def test_tiles_share_a_quarter_and_the_highest_counts_unless_told_otherwise() -> None:
    assert Tiling.of(64) == Tiling(64, 16, 1, None)
    assert Tiling.of(None) is None
    assert "the highest of its tiles' scores" in str(Tiling.of(64))
    assert "the mean of the 3 highest" in str(Tiling.of(64, pool=3))
