"""Models and images for the tests of the server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from browsing import READY, Opened
from PIL import Image

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


@pytest.fixture(scope="session")
def normal(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of images as normal as those of the model."""
    folder = tmp_path_factory.mktemp("normal")
    paths = [folder / f"normal{i}.png" for i in range(4)]
    for path, image in zip(paths, smooth(4, seed=7), strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.fixture
def browse(chromium):
    """Open a server's page in a session of its own; afterwards nothing may have gone wrong in any of them."""
    opened: list[tuple[Opened, str]] = []

    def open_page(served, *, model: str | None = "knn", ready: str = READY, **settings: object) -> Opened:
        context = chromium.new_context(**settings)
        found = Opened(context.new_page())
        found.tab.set_default_timeout(20_000)
        found.tab.on("console", lambda message: found.problems.append(f"{message.type}: {message.text}"))
        found.tab.on("pageerror", lambda error: found.problems.append(str(error)))
        found.tab.on("request", lambda request: found.requests.append(request.url))
        found.tab.goto(f"{served.address}/")
        found.tab.wait_for_selector(ready, state="attached")
        if model and found.tab.locator("#choice").is_visible():
            found.tab.select_option("#model", model)
        opened.append((found, served.address))
        return found

    yield open_page
    for page, address in opened:
        # the browser itself tells of every answer from 400 on
        assert [told for told in page.problems if "Failed to load resource" not in told] == []
        assert [url for url in page.requests if not url.startswith((f"{address}/", f"blob:{address}/", "data:"))] == []
        page.tab.context.close()
