"""From uploaded bytes to a model's images, by the same code that reads files, so that both get the same pixels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from amiss.contracts import InputError, WorkError
from amiss.data.decode import decode_opened
from amiss.data.images import Layout
from amiss.data.opening import opened
from amiss.serve.refusal import BadFile, RefusedError, busy

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""What is decoded; Pillow opens nothing else, whatever the file is called."""


@dataclass(frozen=True)
class Upload:
    """One image file in memory; `name` is what the client calls it, and is never looked for on disk."""

    name: str
    data: BinaryIO


def decode_uploads(
    uploads: Sequence[Upload], layout: Layout, most_pixels: int, until: float = inf
) -> NDArray[np.generic]:
    """Decode files to images (N, C, H, W) in the model's layout; safe in threads.

    until: by the monotonic clock; who asked has gone by then. Raises RefusedError: 422 naming every file that is no
    image of an accepted format, is damaged, or has more than `most_pixels`, and 429 where memory or time runs out.
    """
    spec = layout.spec
    pixels = np.empty((len(uploads), spec.channels, spec.height, spec.width), dtype=layout.depth)
    bad: list[BadFile] = []
    for i, (row, upload) in enumerate(zip(pixels, uploads, strict=True)):
        if time.monotonic() > until:
            raise busy("decoding took too long")
        try:
            with opened(upload.name, upload.data, formats=FORMATS, most=most_pixels) as image:
                row[:] = decode_opened(image, upload.name, layout).pixels
        except InputError as error:
            bad.append(BadFile(i, upload.name, str(error)))
        except WorkError as error:
            raise busy(str(error)) from error
    if bad:
        more = f" (and {len(bad) - 1} more of {len(uploads)} files)" if len(bad) > 1 else ""
        raise RefusedError(422, bad[0].error + more, files=bad)
    return pixels
