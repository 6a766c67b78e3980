"""`Detector.explain`: named maps of whatever can be scored."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amiss import Detector, InputError
from amiss.contracts import ImageSpec
from amiss.explain.gradient import gradient
from amiss.explain.layers import layer_maps
from amiss.explain.maps import Explanation, usual_patch
from amiss.explain.nearest import Nearest
from amiss.explain.occlusion import occlusion
from amiss.explain.residual import residual
from amiss.explain.substitution import substitution
from amiss.methods.gradcon import GradCon
from amiss.testing.samples import discs

X = discs(np.random.default_rng(0), 150, ImageSpec(1, 28, 28))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(GradCon(epochs=1), fpr=None).fit(X[:60], check=False)


def test_all_maps_by_name_with_the_values_of_their_functions(detector: Detector) -> None:
    seen: list[tuple[str, int, int]] = []
    found = detector.explain(X[:70], patch=14, progress=lambda what, done, total, _: seen.append((what, done, total)))
    kinds = ["residual", "occlusion", "substitution", "gradient"]
    assert list(found.maps) == [*kinds, "layer.1", "layer.2", "layer.3", "layer.4"]
    assert found.names == [str(i) for i in range(70)]
    assert seen == [("explaining", 64, 70), ("explaining", 70, 70)]
    scorer, x = detector.artifact.scorer, torch.from_numpy(X[:70]).float() / 255
    wanted = {"residual": residual(scorer, x), "gradient": gradient(scorer, x)}
    wanted |= {"occlusion": occlusion(scorer, x, 14, stride=7), "substitution": substitution(scorer, x, 14, stride=7)}
    for name, value in {**wanted, **layer_maps(scorer, x, 14, stride=7)}.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-3, atol=1e-4 * float(value.abs().max()))


def test_maps_asked_for_come_in_that_order_and_patches_follow_the_size(detector: Detector) -> None:
    found = detector.explain(X[:2], ("gradient", "occlusion"))
    assert list(found.maps) == ["gradient", "occlusion"]
    wanted = detector.explain(X[:2], ["occlusion"], patch=2)["occlusion"]
    np.testing.assert_array_equal(found["occlusion"], wanted)
    sizes = {28: 2, 32: 3, 64: 5, 128: 10, 256: 19, 5: 1}
    assert {side: usual_patch(ImageSpec(3, side, 2 * side)) for side in sizes} == sizes


def test_files_are_explained_in_the_size_of_the_model(detector: Detector, tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(X[i, 0]).resize((50, 60)).save(tmp_path / f"{i}.png")
    found = detector.explain(tmp_path, ["residual"])
    assert [Path(name).name for name in found.names] == ["0.png", "1.png"]
    assert found["residual"].shape == (2, 28, 28)


def test_wrong_calls_are_refused(detector: Detector) -> None:
    with pytest.raises(InputError, match="no map 'heat'"):
        detector.explain(X[:1], ["heat"])
    with pytest.raises(InputError, match="patches of 29 pixels"):
        detector.explain(X[:1], ["occlusion"], patch=29)
    with pytest.raises(InputError, match="not fitted"):
        Detector("pca").explain(X[:1])
    kde = Detector("kde", fpr=None).fit(X[:60])
    with pytest.raises(InputError, match="KDEScorer has no map 'residual': it has occlusion, gradient"):
        kde.explain(X[:1], ["residual"])
    assert list(kde.explain(X[:1], patch=14).maps) == ["occlusion", "gradient"]


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "explain.md", "exec"), names)
    explained, near = names["explained"], names["near"]
    assert isinstance(explained, Explanation)
    assert isinstance(near, Nearest)
    assert {name: made.shape for name, made in explained.maps.items()} == {
        "residual": (4, 28, 28),
        "substitution": (4, 28, 28),
    }
    assert near.names.shape == (4, 3)
