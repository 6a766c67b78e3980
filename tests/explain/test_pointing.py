"""The pointing game, by hand and played: on a synthetic set every kind of map finds a planted defect."""

from __future__ import annotations

import numpy as np
import pytest

from amiss import Detector, InputError
from amiss.contracts import ImageSpec
from amiss.explain.maps import Explanation
from amiss.explain.pointing import pointed
from amiss.methods.gradcon import GradCon
from amiss.testing.samples import discs

SPEC = ImageSpec(1, 16, 16)
SIDE, N = 4, 60


def test_hits_misses_and_shared_maxima() -> None:
    maps = np.zeros((4, 2, 2), np.float32)
    masks = np.zeros((4, 2, 2), bool)
    masks[:, 0, 0] = True
    maps[0, 0, 0] = maps[1, 1, 1] = 1
    maps[2, 0] = -1
    maps[2, 1] = -2
    assert pointed(maps, masks).tolist() == [1, 0, 0.5, 0.25]  # the last is constant: chance
    assert pointed(maps[:0], masks[:0]).shape == (0,)


def test_maps_that_point_nowhere_are_refused() -> None:
    maps, masks = np.zeros((1, 2, 2)), np.zeros((1, 2, 2), bool)
    with pytest.raises(InputError, match=r"\(1, 2, 2\) and masks of shape \(2, 2\)"):
        pointed(maps, masks[0])
    with pytest.raises(InputError, match="not finite"):
        pointed(maps * np.nan, masks)


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Dim discs with a white square somewhere, (N, 1, 16, 16), and where it is, (N, 16, 16)."""
    rng = np.random.default_rng(1)
    x, masks = discs(rng, N, SPEC) // 2, np.zeros((N, 16, 16), bool)
    for image, mask, (top, left) in zip(x, masks, rng.integers(0, 16 - SIDE + 1, (N, 2)), strict=True):
        mask[top : top + SIDE, left : left + SIDE] = True
        image[:, mask] = 255
    return x, masks


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return discs(np.random.default_rng(0), 400, SPEC) // 2


@pytest.mark.parametrize("method", ["knn", "pca", GradCon(alpha=0.0, epochs=20)], ids=["knn", "pca", "cae"])
def test_planted_defects_are_found(method: str | GradCon, training: np.ndarray) -> None:
    x, masks = planted()
    explained = Detector(method, fpr=None, size=16).fit(training).explain(x)
    assert isinstance(explained, Explanation)
    assert set(explained.maps) == {"residual", "occlusion", "substitution", "gradient"}
    chance = masks.mean()
    for name, found in explained.maps.items():
        share = pointed(np.abs(found) if name == "gradient" else found, masks).mean()
        assert share >= 0.9 > 10 * chance, f"{name}: {share:.2f}"
