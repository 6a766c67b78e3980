"""Images from arrays and tensors in memory: what their axes mean, whether their values fit, and their layout."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from amiss.contracts import ImageSpec, InputError
from amiss.data.images import Depth, Images, Layout
from amiss.data.resample import choose_size, resize, to_depth
from amiss.data.tiled import TiledImages
from amiss.transforms.tiles import Tiling

Array = NDArray[np.generic] | torch.Tensor
_ACCEPTED = "bool, uint8, uint16, or float16, float32 and float64 within 0 to 1"
_SHAPES = "(N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels"
_DEPTHS: dict[str, Depth] = {
    "bool": "uint8",
    "uint8": "uint8",
    "uint16": "uint16",
    "float16": "float32",
    "float32": "float32",
    "float64": "float32",
}
_CHUNK = 1 << 20  # values looked at at a time


def images_from_array(
    x: Array, layout: Layout | None = None, *, size: int | None = None, groups: NDArray[np.int64] | None = None
) -> Images:
    """Make Images of an array; a view, nothing is copied, if its shape, depth and size are already those of the layout.

    Args:
        x: (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels; bool (0 and 255), uint8, uint16, or float16,
            float32 or float64 within 0 to 1. Four axes are read as NCHW or NHWC by where the 1 or 3 stands.
        layout: The model's, when scoring. Channels must agree; size and depth are brought to it as for files.
        size: The side to resize to when there is no layout; by default the policy for files applies.
        groups: (N,) codes; images of one group must not be separated.

    Raises:
        InputError: If the shape is not one of these or could be read in two ways, if the dtype is another, if a value
            is not finite or outside 0 to 1 (the first such image is named), or if there are no images.
    """
    view = checked(x, layout)
    return Images(convert(view, layout or plan_array_layout(view, size)), groups=groups)


def checked(x: Array, layout: Layout | None = None) -> NDArray[np.generic]:
    """Return `x` as a view (N, C, H, W) after all checks of `images_from_array`; its dtype stays."""
    if not isinstance(x, (np.ndarray, torch.Tensor)):
        raise InputError(
            f"images were given as a {type(x).__name__}; accepted are a numpy array or a tensor of shape {_SHAPES}"
        )
    view = _as_nchw(_as_numpy(x))
    if layout is not None and view.shape[1] != layout.spec.channels:
        raise InputError(
            f"the array has {_channels(view.shape[1])}, and the model takes {_channels(layout.spec.channels)}; "
            "arrays are not converted in colour"
        )
    _check_range(view)
    return view


def tiled_from_array(x: Array, tiling: Tiling, groups: NDArray[np.int64] | None = None) -> TiledImages:
    """Make TiledImages of an array; a view, nothing is copied, if its depth and size are already those wanted.

    Raises InputError as `images_from_array`, and for images that are smaller than a tile.
    """
    view = checked(x)
    layout = Layout(ImageSpec(view.shape[1], tiling.side, tiling.side), _DEPTHS[view.dtype.name], tiling)
    pixels = convert(view, whole_layout(view, layout))
    return TiledImages.cut(pixels, layout, groups=Images(pixels, groups=groups).groups)


def whole_layout(view: NDArray[np.generic], layout: Layout) -> Layout:
    """The layout of whole images of `view` (N, C, H, W); raises InputError for images smaller than a tile."""
    return layout.whole(view.shape[2], view.shape[3], "each image of the array")


def plan_array_layout(view: NDArray[np.generic], size: int | None = None) -> Layout:
    """Choose the layout of a model that is fitted on `view` (N, C, H, W): its channels, its depth, the policy's size.

    Without `size`, an array keeps its shape when it is square and already of a size of the policy.
    """
    side = choose_size(np.array([min(view.shape[2:])]), size)
    return Layout(ImageSpec(view.shape[1], side, side), _DEPTHS[view.dtype.name])


def convert(view: NDArray[np.generic], layout: Layout) -> NDArray[np.generic]:
    """Bring checked images (N, C, H, W) to `layout`; returns `view` itself where nothing has to change."""
    spec = layout.spec
    if view.dtype == layout.depth and view.shape[1:] == (spec.channels, spec.height, spec.width):
        return view
    converted = np.empty((len(view), spec.channels, spec.height, spec.width), dtype=layout.depth)
    for row, image in zip(converted, view, strict=True):
        row[:] = to_depth(resize(_in_a_depth(image), spec.height, spec.width), layout.depth)
    return converted


def _in_a_depth(image: NDArray[np.generic]) -> NDArray[np.generic]:
    if image.dtype == np.bool_:
        return np.multiply(image, 255, dtype=np.uint8)
    return image.astype(_DEPTHS[image.dtype.name], copy=False)


def _as_numpy(x: Array) -> NDArray[np.generic]:
    """Return `x` as a numpy array of an accepted dtype in the machine's byte order."""
    if isinstance(x, torch.Tensor):
        if str(x.dtype).removeprefix("torch.") not in _DEPTHS:
            raise InputError(f"the tensor has dtype {x.dtype}; accepted are {_ACCEPTED}")
        if x.layout is not torch.strided or x.is_meta:
            kind = "meta" if x.is_meta else str(x.layout).removeprefix("torch.")
            raise InputError(f"the tensor is a {kind} tensor; accepted are dense tensors, whose values are there")
        x = x.detach().cpu().numpy()
    x = np.asarray(x)
    if x.dtype.name not in _DEPTHS:
        raise InputError(f"the array has dtype {x.dtype}; accepted are {_ACCEPTED}")
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _as_nchw(x: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a view (N, C, H, W), or say why the axes are unclear."""
    if 0 in x.shape:
        raise InputError(f"an array of shape {x.shape} holds no images; accepted is {_SHAPES}")
    if x.ndim == 3:
        if x.shape[2] in (1, 3, 4):
            raise InputError(
                f"an array of shape {x.shape} looks like one image (H, W, C): accepted are x[None] for one, "
                f"and {_SHAPES} for many"
            )
        return x[:, None]
    if x.ndim != 4:
        raise InputError(f"an array of shape {x.shape} is not a batch of images; accepted is {_SHAPES}")
    first, last = x.shape[1] in (1, 3), x.shape[3] in (1, 3)
    if first and last:
        raise InputError(f"an array of shape {x.shape} can be read as NCHW and as NHWC; give more than 3 pixels a side")
    if not first and not last:
        raise InputError(
            f"an array of shape {x.shape} has neither 1 nor 3 channels; accepted is {_SHAPES} (drop an alpha channel)"
        )
    return x if first else np.moveaxis(x, 3, 1)


def _check_range(view: NDArray[np.generic]) -> None:
    """Name the first image with a value that is not finite or not within 0 to 1."""
    if view.dtype.kind != "f":
        return
    step = max(1, _CHUNK // view[0].size)
    for start in range(0, len(view), step):
        block = view[start : start + step].astype(np.float64, copy=False)
        wrong = ~((block >= 0) & (block <= 1))  # also true for NaN
        if wrong.any():
            place = np.unravel_index(int(np.flatnonzero(wrong)[0]), wrong.shape)
            raise InputError(
                f"image {start + int(place[0])} of the array holds the value {block[place]}; floats must be finite and "
                "within 0 to 1 (8-bit pixels can be given as uint8)"
            )


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
