"""The policy for image files: what colour, depth and size they get, and how each kind is read (docs/data-in.md)."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from amiss.data.images import TOP, Depth, Kind, Layout
from amiss.data.listing import Listing
from amiss.data.opening import opened, quiet
from amiss.data.pace import paced
from amiss.data.resample import choose_size, resize, to_depth
from amiss.plain import ImageSpec, InputError, Progress
from amiss.transforms.tiles import Tiling

__all__ = [
    "Decoded",
    "Kind",
    "Layout",
    "conversion_lines",
    "decode",
    "decode_opened",
    "decode_with_kind",
    "plan_layout",
]

_GREY = ("1", "L", "LA", "La", "I", "F")
_DEPTH_NAMES: dict[Depth, str] = {"uint8": "8-bit", "uint16": "16-bit", "float32": "float"}


class Decoded(NamedTuple):
    """An image (C, H, W) in its layout, and what its file was."""

    pixels: NDArray[np.generic]
    kind: Kind


def plan_layout(
    listing: Listing, size: int | None = None, progress: Progress | None = None, tiling: Tiling | None = None
) -> Layout:
    """Choose colour, depth and size from the files to be fitted on; headers only, palettes excepted.

    Colour if any file is colour; float32 if any is float, else uint16 if any is 16-bit; square, with side `size` or the
    largest of 28, 32, 64, 128, 256 not above the median shorter side, else 28; with a tiling, the side of a tile. Files
    that cannot be read are passed over here: decoding names them.

    Raises:
        InputError: If no file can be read (the first is named), or `size` is not a positive whole number.
    """
    sides = array("i")
    kinds: set[Kind] = set()
    first: InputError | None = None
    tell = paced(progress, "reading headers", len(listing))
    with quiet():
        for done, path in enumerate(listing.paths, 1):
            try:
                with opened(path) as image:
                    kinds.add(_kind(image))
                    sides.append(min(image.size))
            except InputError as error:
                first = first or error
            tell(done)
    if first is not None and not sides:
        raise first
    side = choose_size(np.frombuffer(sides, dtype=np.intc), size) if tiling is None else tiling.side
    depths = {kind.depth for kind in kinds}
    depth: Depth = "float32" if "float32" in depths else "uint16" if "uint16" in depths else "uint8"
    return Layout(ImageSpec(3 if any(kind.colour for kind in kinds) else 1, side, side), depth, tiling)


def decode(path: str, layout: Layout) -> NDArray[np.generic]:
    """Read an image file as (C, H, W) in `layout`, with a tiling the whole image; safe in threads.

    Raises:
        InputError: If the file cannot be decoded, has values outside its range, or is smaller than a tile; the file is
            named.
    """
    return decode_with_kind(path, layout).pixels


def decode_with_kind(path: str, layout: Layout) -> Decoded:
    """Do what `decode` does, and tell what the file was."""
    with opened(path) as image:
        return decode_opened(image, path, layout)


def decode_opened(image: Image.Image, path: str, layout: Layout) -> Decoded:
    """Do what `decode` does with a file that is open already; `path` is what errors call it."""
    kind = _kind(image)
    ImageOps.exif_transpose(image, in_place=True)
    spec = layout.whole(image.height, image.width, f"'{path}'").spec
    planes = _eight_bit(image, spec) if kind.depth == "uint8" else resize(_deep(image, path), spec.height, spec.width)
    planes = to_depth(planes, layout.depth)
    if len(planes) != spec.channels:
        planes = np.repeat(planes, spec.channels, axis=0)
    return Decoded(np.ascontiguousarray(planes), kind)


def conversion_lines(kinds: Mapping[Kind, int], layout: Layout) -> list[str]:
    """Say in lines which files were converted to the model's colour and depth; empty if none was."""
    colour = layout.spec.channels == 3
    other = sum(count for kind, count in kinds.items() if kind.colour != colour)
    lines = []
    if other:
        have, want = ("grey", "colour") if colour else ("colour", "grey")
        lines.append(f"{other} {have} {_files(other)} converted to {want}")
    for depth, name in _DEPTH_NAMES.items():
        count = sum(count for kind, count in kinds.items() if kind.depth == depth)
        if count and depth != layout.depth:
            lines.append(f"{count} {name} {_files(count)} scaled to {_DEPTH_NAMES[layout.depth]}")
    return lines


def _files(count: int) -> str:
    return "file was" if count == 1 else "files were"


def _kind(image: Image.Image) -> Kind:
    """Tell colour and depth of an opened file by its mode; a palette is colour if one of its entries is."""
    if image.mode == "F":
        return Kind(False, "float32")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Kind(False, "uint16")
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
        return Kind(bool((palette != palette[:, :1]).any()), "uint8")
    return Kind(image.mode not in _GREY, "uint8")


def _eight_bit(image: Image.Image, spec: ImageSpec) -> NDArray[np.generic]:
    """Return uint8 (C, H, W) as `spec` has it: transparency over black, then colour, then size."""
    if image.has_transparency_data:
        image = _on_black(image)
    elif image.mode not in ("L", "RGB"):
        image = image.convert(
            "L" if image.mode == "1" else "RGB"
        )  # by way of RGB, so that equal colours get equal greys
    mode = "L" if spec.channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (
        spec.width,
        spec.height,
    ):  # `resize` gives the same numbers, but would copy a photo three times more
        image = image.resize((spec.width, spec.height), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return pixels[None] if spec.channels == 1 else np.moveaxis(pixels, 2, 0)


def _on_black(image: Image.Image) -> Image.Image:
    """Composite over black, which is what multiplying by alpha does; colour hidden below full transparency vanishes."""
    if image.mode in _GREY:
        return image.convert("LA").convert("La").getchannel(0)
    return Image.merge("RGB", image.convert("RGBA").convert("RGBa").split()[:3])


def _deep(image: Image.Image, path: str) -> NDArray[np.generic]:
    """Return (1, H, W) uint16 or float32, refusing values outside 0 to 65535 or 0 to 1."""
    values = np.asarray(image)[None]
    depth: Depth = "float32" if image.mode == "F" else "uint16"
    if not np.isfinite(values).all():
        raise InputError(f"'{path}' has values that are not finite; accepted in float images are 0 to 1")
    if values.min() < 0 or values.max() > TOP[depth]:
        raise InputError(
            f"'{path}' has values from {values.min()} to {values.max()}; accepted in {_DEPTH_NAMES[depth]} images "
            f"are 0 to {TOP[depth]}"
        )
    return values.astype(depth)
