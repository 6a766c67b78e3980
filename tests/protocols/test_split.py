from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.protocols.split import Split, clusters, held_out_size, split


def images(values: list[int], groups: list[int] | None = None) -> Images:
    """One-pixel images: equal values are equal images."""
    pixels = np.array(values, dtype=np.uint16).reshape(-1, 1, 1, 1)
    return Images(pixels, groups=None if groups is None else np.array(groups, dtype=np.int64))


def sides(parts: Split, n: int) -> NDArray[np.int64]:
    side = np.full(n, -1)
    for i, part in enumerate((parts.train, parts.held_out, parts.calibration)):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert (side[part] == -1).all()
        side[part] = i
    assert (side >= 0).all()
    return side


@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25)), min_size=2, max_size=80),
    grouped=st.booleans(),
    share=st.floats(0, 0.5),
    held=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_image_stands_on_one_side_with_its_copies_and_its_group(
    rows: list[tuple[int, int]], grouped: bool, share: float, held: bool, seed: int
) -> None:
    values, groups = [v for v, _ in rows], [g for _, g in rows]
    given_images = images(values, groups if grouped else None)
    n, n_calibration = len(rows), int(share * len(rows))
    n_held_out = held_out_size(n - n_calibration) if held else 0
    try:
        parts = split(given_images, n_calibration=n_calibration, n_held_out=n_held_out, seed=seed)
    except InputError:
        keys = [np.array(values), np.array(groups)][: 1 + grouped]
        largest = np.bincount(clusters(n, keys)).max()
        assert largest > 1 or n - n_calibration - n_held_out < 2  # distinct images can always be divided
        return
    side = sides(parts, n)
    for key in [values, groups] if grouped else [values]:
        for code in set(key):
            assert len(set(side[np.array(key) == code])) == 1
    assert n_calibration <= len(parts.calibration) <= max(n_calibration, n // 2)
    assert n_held_out <= len(parts.held_out) <= max(n_held_out, (n - len(parts.calibration)) // 2)
    assert (len(parts.held_out) > 0) == held
    assert len(parts.train) >= 2


@given(n=st.integers(5, 200), seed=st.integers(0, 1000))
def test_distinct_images_get_exactly_the_sizes_asked_for(n: int, seed: int) -> None:
    n_calibration = n // 5
    n_held_out = held_out_size(n - n_calibration)
    parts = split(images(list(range(n))), n_calibration=n_calibration, n_held_out=n_held_out, seed=seed)
    assert np.bincount(sides(parts, n)).tolist() == [n - n_calibration - n_held_out, n_held_out, n_calibration]


def test_the_seed_decides_and_every_image_gets_its_turn() -> None:
    given_images = images(list(range(40)))
    drawn = [split(given_images, n_calibration=8, n_held_out=3, seed=s).calibration for s in range(500)]
    again = split(given_images, n_calibration=8, n_held_out=3, seed=0)
    assert again.calibration.tolist() == drawn[0].tolist()
    assert drawn[0].tolist() != drawn[1].tolist()
    counts = np.bincount(np.concatenate(drawn), minlength=40)
    assert abs(counts - 100).max() < 4.5 * np.sqrt(500 * 0.2 * 0.8)  # each image calibrates in 1 split of 5


def test_clusters_connect_through_copies_and_groups_in_turn() -> None:
    n = 10_000
    order = np.random.default_rng(0).permutation(n)
    chain = [(order // 2), ((order + 1) // 2)]  # every image shares one key with each of its neighbours
    assert (clusters(n, chain) == 0).all()
    assert clusters(5, [np.array([0, 1, 0, 2, 3]), np.array([7, 7, 8, 9, 9])]).tolist() == [0, 0, 0, 1, 1]
    assert clusters(3, [np.array([[1, 2], [1, 3], [1, 2]], dtype=np.uint64)]).tolist() == [0, 1, 0]


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25))
def test_clusters_equal_a_search_through_the_graph(pairs: list[tuple[int, int]]) -> None:
    n = len(pairs)
    found = clusters(n, [np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])])
    for start in range(n):
        reached, queue = {start}, [start]
        while queue:
            i = queue.pop()
            near = {j for j in range(n) if pairs[i][0] == pairs[j][0] or pairs[i][1] == pairs[j][1]} - reached
            reached |= near
            queue += near
        assert {i for i in range(n) if found[i] == found[start]} == reached
    assert set(found) == set(range(found.max() + 1))


@pytest.mark.parametrize(("n", "calibration", "held_out"), [(1, 0, 0), (0, 0, 0), (3, 1, 1), (40, 20, 19)])
def test_too_few_images_to_train_on_say_so(n: int, calibration: int, held_out: int) -> None:
    with pytest.raises(InputError, match=rf"{n} images? w.* given: training needs at least 2"):
        split(images(list(range(n))), n_calibration=calibration, n_held_out=held_out, seed=0)


def test_too_few_independent_images_say_how_many_there_are() -> None:
    with pytest.raises(InputError, match=r"the 100 images form 3 independent sets .* the largest of 49"):
        split(images([1] * 49 + [2] * 49 + [3] * 2), n_calibration=50, n_held_out=0, seed=0)
    with pytest.raises(InputError, match="form 1 independent sets"):
        split(images(list(range(30)), [4] * 30), n_calibration=6, n_held_out=1, seed=0)


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="at least 0"):
        split(images([1, 2, 3]), n_calibration=-1, n_held_out=0, seed=0)


def test_a_set_larger_than_half_never_calibrates() -> None:
    given_images = images(list(range(100)), [0] * 60 + list(range(1, 41)))
    for seed in range(20):
        parts = split(given_images, n_calibration=20, n_held_out=8, seed=seed)
        assert len(parts.calibration) == 20
        assert len(parts.held_out) == 8
        assert (parts.calibration >= 60).all()
