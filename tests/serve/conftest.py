"""Models and images for the tests of the server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from amiss import Detector


def smooth(n: int, seed: int = 0, side: int = 28) -> np.ndarray:
    """Smooth random images (n, side, side) uint8."""
    coarse = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=side, mode="bilinear")[:, 0] * 255).byte().numpy()


@pytest.fixture(scope="session")
def knn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of 60 images of 28 x 28, 19 of which calibrate."""
    path = tmp_path_factory.mktemp("models") / "knn.safetensors"
    Detector("knn", fpr=0.05).fit(smooth(60)).save(path)
    return path


@pytest.fixture(scope="session")
def pca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model, which decides nothing."""
    path = tmp_path_factory.mktemp("others") / "pca.safetensors"
    Detector("pca", fpr=None).fit(smooth(40, seed=1)).save(path)
    return path


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One image file of every kind that is accepted."""
    from served import make_kinds

    return make_kinds(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def server(knn: Path, pca: Path):
    """Both models, served for the tests of one file."""
    from served import serving

    with serving(knn, pca) as running:
        yield running
