"""A server in a thread of the test's own process, on a free port, and images of every kind to send to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from amiss.serve.run import Plan, by_stem, listen


@dataclass
class Served:
    """A server that runs, and a client of it."""

    address: str
    port: int
    client: httpx.Client
    models: dict[str, object] = field(default_factory=dict)

    def score(self, *paths: Path, model: str | None = None) -> httpx.Response:
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        return self.client.post("/score", files=files, params={} if model is None else {"model": model})


@contextmanager
def serving(*models: Path, **settings: object) -> Iterator[Served]:
    """Serve models as `amiss serve` does, signals aside."""
    from amiss.serve.server import build

    plan = Plan(models, port=0, look_every=0.02, **settings)
    started = threading.Event()
    with listen(plan.host, 0) as listening, ThreadPoolExecutor(2) as decoders:
        server = build(plan, by_stem(models), decoders, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert started.wait(30)
            port = listening.getsockname()[1]
            headers = {} if plan.token is None else {"Authorization": f"Bearer {plan.token}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
                inner = server.config.app.app
                yield Served(f"http://127.0.0.1:{port}", port, client, inner.state.serving.models)
        finally:
            server.should_exit = True
            thread.join()


def make_kinds(folder: Path) -> list[Path]:
    """One file of every kind that is accepted: depths, colours, palettes, transparency, rotation, sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (40, 36), np.uint8), rng.integers(0, 256, (28, 50, 3), np.uint8)
    small = Image.fromarray(grey[:28, :28])
    images: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "grey.png": (small, {}),
        "larger.png": (Image.fromarray(grey), {}),
        "colour.png": (Image.fromarray(colour), {}),
        "alpha.png": (Image.fromarray(np.dstack([colour, colour[:, :, :1]])), {}),
        "palette.png": (Image.fromarray(colour).quantize(16), {"transparency": 3}),
        "bits.png": (small.convert("1"), {}),
        "deep.png": (Image.fromarray(grey.astype(np.uint16) * 257), {}),
        "photo.jpg": (Image.fromarray(colour), {"quality": 90}),
        "turned.jpg": (Image.fromarray(colour), {"exif": _turned()}),
        "plain.bmp": (Image.fromarray(colour), {}),
        "float.tif": (Image.fromarray(grey.astype(np.float32) / 255), {}),
        "deep.tiff": (Image.fromarray(grey.astype(np.uint16) * 200), {}),
        "web.webp": (Image.fromarray(colour), {"lossless": True}),
    }
    for name, (image, settings) in images.items():
        image.save(folder / name, **settings)
    return [folder / name for name in images]


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
