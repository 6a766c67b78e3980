"""Smooth random images, as arrays and as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image


def smooth(n: int, seed: int) -> np.ndarray:
    """n smooth random images (n, 28, 28) in uint8."""
    coarse = torch.rand(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=28, mode="bilinear")[:, 0] * 255).byte().numpy()


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def write_photos(folder: Path, n: int, seed: int) -> Path:
    """Write n images into a folder."""
    folder.mkdir(parents=True)
    for i, image in enumerate(smooth(n, seed)):
        (folder / f"{i:03}.png").write_bytes(png(image))
    return folder
