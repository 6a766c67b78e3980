"""Opening image files that may be broken, hostile, or no images at all."""

from __future__ import annotations

import errno
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, UnidentifiedImageError

from amiss.plain import InputError, WorkError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 100_000_000
MAX_SIDE = 1_000_000
"""Resizing takes 48 bytes for each pixel of a side: of a strip one pixel high, gigabytes."""
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@contextmanager
def opened(
    path: str, stream: BinaryIO | None = None, *, formats: Sequence[str] = FORMATS, most: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Open an image file with Pillow, header only; whatever goes wrong with it inside the block names the file.

    With `stream`, its bytes are read from there, and `path` is only what errors call it: no file of that name is
    looked for. formats: names that Pillow has for those accepted. most: pixels, known before anything is decoded.

    Raises:
        InputError: If the file is missing, empty, not an image of an accepted format, larger than `most` pixels
            or longer than MAX_SIDE, truncated, or otherwise not decodable.
        WorkError: If there are too many open files or too little memory to read it.
    """
    try:
        # a file, not its path: of a path, Pillow 13 maps uncompressed TIFFs and garbles those with orientation 5 to 8
        with (
            quiet(),
            _bytes(path, stream) as file,
            Image.open(file, formats=None if formats is None else tuple(formats)) as image,
        ):
            if image.width * image.height > most:
                raise InputError(f"'{path}' has {image.width} x {image.height} pixels; {_limit(most)}")
            if max(image.size) > MAX_SIDE:
                raise InputError(
                    f"'{path}' has {image.width} x {image.height} pixels; the limit for one side is {MAX_SIDE:,}"
                )
            yield image
    except (InputError, WorkError):
        raise
    except Exception as error:  # a broken file makes Pillow raise almost anything
        raise _named(path, error, stream, formats, most) from error


def _bytes(path: str, stream: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    return Path(path).open("rb") if stream is None else nullcontext(stream)


def _limit(most: int) -> str:
    return f"the limit for one image is {most / 1_000_000:g} megapixels"


def _is_empty(path: str, stream: BinaryIO | None) -> bool:
    if stream is not None:
        return not stream.seek(0, 2)
    return Path(path).is_file() and not Path(path).stat().st_size


def _named(
    path: str, error: Exception, stream: BinaryIO | None, formats: Sequence[str], most: int
) -> InputError | WorkError:
    """Say in one sentence what is wrong with the file."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES):
        return WorkError(f"'{path}' could not be read, because the system ran short of resources: {error}")
    if isinstance(error, FileNotFoundError):
        return InputError(f"'{path}' does not exist")
    if isinstance(error, Image.DecompressionBombError):
        return InputError(f"'{path}' has too many pixels; {_limit(most)}")
    if isinstance(error, UnidentifiedImageError):
        if _is_empty(path, stream):
            return InputError(f"'{path}' is empty (0 bytes)")
        return InputError(f"'{path}' is not an image that can be read; accepted are {', '.join(formats)}")
    if isinstance(error, OSError) and error.strerror:
        return InputError(f"'{path}' cannot be opened: {error.strerror}")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"'{path}' cannot be decoded, it may be damaged: {reason}")


class _Readers:
    """How many threads are reading, so that the last one out takes the filter away again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


_READERS = _Readers()
_FILTER = r"PIL\."


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's own warnings (its size limit, odd metadata) from the user: errors name the file instead.

    `warnings.catch_warnings` puts a whole list back, so it is not safe in threads. This adds one filter, which concerns
    Pillow's modules alone, and takes that one out when the last reader leaves.
    """
    with _READERS.lock:
        if not _READERS.count:
            warnings.filterwarnings("ignore", module=_FILTER)
        _READERS.count += 1
    try:
        yield
    finally:
        with _READERS.lock:
            _READERS.count -= 1
            if not _READERS.count:
                _drop_filter()


def _drop_filter() -> None:
    filters = cast("list[tuple[str, object, type[Warning], object, int]]", warnings.filters)
    for entry in filters:
        if entry[0] == "ignore" and getattr(entry[3], "pattern", entry[3]) == _FILTER:
            filters.remove(entry)
            return
