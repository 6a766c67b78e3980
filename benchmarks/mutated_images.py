"""Image files made wrong by a seed: cut, flipped, spliced, with false headers or bombs inside, misnamed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image

File = tuple[str, bytes]
SIZES = (0, 1, 255, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def originals() -> list[File]:
    """Whole files of every format that is accepted, in their modes and depths, and of some that are not."""
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (40, 36), np.uint8), rng.integers(0, 256, (28, 50, 3), np.uint8)
    small, photo = Image.fromarray(grey[:28, :28]), Image.fromarray(colour)
    deep, real = Image.fromarray(grey.astype(np.uint16) * 257), Image.fromarray(grey.astype(np.float32) / 255)
    others = [Image.fromarray(255 - colour), Image.fromarray(colour // 2)]
    exif = Image.Exif()
    exif[0x0112] = 6
    made: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "grey.png": (small, {}),
        "colour.png": (photo, {}),
        "alpha.png": (Image.fromarray(np.dstack([colour, colour[:, :, :1]])), {}),
        "palette.png": (photo.quantize(16), {"transparency": 3}),
        "bits.png": (small.convert("1"), {}),
        "deep.png": (deep, {}),
        "animated.png": (photo, {"save_all": True, "append_images": others}),
        "grey.jpg": (small, {}),
        "photo.jpg": (photo, {"quality": 90, "exif": exif}),
        "progressive.jpg": (photo, {"progressive": True}),
        "cmyk.jpg": (photo.convert("CMYK"), {}),
        "plain.bmp": (photo, {}),
        "palette.bmp": (photo.quantize(16), {}),
        "float.tif": (real, {}),
        "deep.tif": (deep, {"compression": "tiff_lzw"}),
        "cmyk.tif": (photo.convert("CMYK"), {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (photo, {"compression": "jpeg"}),
        "pages.tif": (photo, {"save_all": True, "append_images": others}),
        "lossless.webp": (photo, {"lossless": True}),
        "lossy.webp": (photo, {}),
        "animated.webp": (photo, {"save_all": True, "append_images": others}),
        "other.gif": (photo.quantize(16), {}),
        "other.ppm": (photo, {}),
    }
    return [(name, _encoded(image, name, settings)) for name, (image, settings) in made.items()]


def _encoded(image: Image.Image, name: str, settings: dict[str, object]) -> bytes:
    out = io.BytesIO()
    image.save(out, Image.registered_extensions()["." + name.rpartition(".")[2]], **settings)
    return out.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *, name: bytes = b"IDAT") -> bytes:
    """A PNG whose header says what it is told, with right checksums."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in ((b"IHDR", head), (name, rows), (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs() -> list[File]:
    """Small files that would become large: by what their header says, or by what their data unpacks to."""
    zeros = zlib.compress(bytes(20_000_000), 9)
    text = _chunk(b"zTXt", b"a\0\0" + zeros) + _chunk(b"iCCP", b"a\0\0" + zeros)
    whole = png(8, 8, 8, 0, zlib.compress(bytes(72)))
    return [
        ("wide.png", png(2**31 - 1, 1, 8, 0, zeros)),
        ("large.png", png(60_000, 60_000, 1, 0, zeros)),
        ("no-end.png", png(4000, 4000, 16, 6, zeros)),
        ("limit.png", png(5000, 5000, 8, 6, zlib.compress(bytes(5000 * 20_001), 9))),
        ("limit-deep.png", png(5000, 5000, 16, 0, zlib.compress(bytes(5000 * 10_001), 9))),
        ("text.png", whole[:33] + text + whole[33:]),
        ("thin.png", png(25_000_000, 1, 1, 0, zlib.compress(bytes(3_125_001)))),
        ("nothing.png", png(0, 0, 8, 0, zeros)),
        ("tiles.tif", _tiff(5000, 5000)),
        ("flat.jpg", _encoded(Image.new("L", (5000, 5000)), "flat.jpg", {})),
        ("flat.webp", _encoded(Image.new("RGB", (5000, 5000)), "flat.webp", {})),
    ]


def _tiff(width: int, height: int) -> bytes:
    return _encoded(Image.new("F", (width, height)), "flat.tif", {"compression": "tiff_adobe_deflate"})


def cut(rng: Generator, data: bytearray) -> None:
    """Let the end be missing."""
    del data[int(rng.integers(len(data))) :]


def flip(rng: Generator, data: bytearray) -> None:
    """Turn up to 16 bits over."""
    for at in rng.integers(0, len(data), int(rng.integers(1, 17))):
        data[at] ^= 1 << int(rng.integers(8))


def overwrite(rng: Generator, data: bytearray) -> None:
    """Put other bytes over a stretch."""
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 65))
    data[at : at + size] = bytes([int(rng.choice([0, 255]))]) * size if rng.random() < 0.5 else rng.bytes(size)


def insert(rng: Generator, data: bytearray) -> None:
    """Put bytes in between."""
    at = int(rng.integers(len(data)))
    data[at:at] = rng.bytes(int(rng.integers(1, 33)))


def drop(rng: Generator, data: bytearray) -> None:
    """Let a stretch be missing."""
    at = int(rng.integers(len(data)))
    del data[at : at + int(rng.integers(1, 65))]


def repeat(rng: Generator, data: bytearray) -> None:
    """Let a stretch stand twice."""
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 257))
    data[at:at] = data[at : at + size]


def resize(rng: Generator, data: bytearray) -> None:
    """Write a number of the kind that sizes are over one of the first 128 bytes."""
    at, form = int(rng.integers(min(len(data), 128))), str(rng.choice(["<I", ">I", "<H", ">H"]))
    packed = struct.pack(form, int(rng.choice(SIZES)) & (2 ** (8 * struct.calcsize(form)) - 1))
    data[at : at + len(packed)] = packed


def mend(rng: Generator, data: bytearray) -> None:
    """Make a PNG's checksums right again, so that what is wrong gets further; other files are flipped."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        flip(rng, data)
        return
    overwrite(rng, data)
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + size > len(data):
            return
        data[at + 8 + size : at + 12 + size] = struct.pack(">I", zlib.crc32(data[at + 4 : at + 8 + size]))
        at += 12 + size


WAYS: tuple[Callable[[Generator, bytearray], None], ...] = (cut, flip, overwrite, insert, drop, repeat, resize, mend)


def mutated(rng: Generator, files: list[File]) -> File:
    """One of the files in up to three wrong ways, perhaps followed by another, perhaps under another's name."""
    name, content = files[int(rng.integers(len(files)))]
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            WAYS[int(rng.integers(len(WAYS)))](rng, data)
    other = files[int(rng.integers(len(files)))]
    if rng.random() < 0.1:
        data = data[: len(data) // 2] + other[1][len(other[1]) // 2 :]
    return other[0] if rng.random() < 0.2 else name, bytes(data)


def corpus(seed: int, count: int) -> list[File]:
    """So many wrong files, bombs included."""
    rng, files = np.random.default_rng(seed), originals()
    special = bombs()[: max(0, count // 4)]
    return [*special, *(mutated(rng, files) for _ in range(count - len(special)))]
