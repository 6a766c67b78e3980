"""ONNX Runtime on a file of ours, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.plain import InputError, Progress, WorkError

NAMES = ("pred_score", "p_value", "pred_label", "anomaly_map")
"""Outputs that a file may have; the first is always there."""

_ERRORS_ONLY = 3


class Session:
    """A loaded file."""

    def __init__(self, model: Path | bytes, name: str | None = None) -> None:
        """Load a file or its bytes, which errors call `name`.

        Raises InputError where ONNX Runtime is not installed, or for what it cannot load.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError('an ONNX file needs ONNX Runtime: pip install onnxruntime, or "amiss[export]"') from error
        self.name = str(model if isinstance(model, Path) else name)
        self.version = str(onnxruntime.__version__)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        try:
            content = model.read_bytes() if isinstance(model, Path) else model
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {error.strerror}") from error
        except Exception as error:  # the runtime has an exception of its own for each status
            raise InputError(f"{self.name} is no ONNX file that can be loaded: {_first_line(error)}") from error

    @property
    def properties(self) -> Mapping[str, str]:
        """What the file says of itself."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def image_shape(self) -> tuple[object, ...]:
        """Channels, height and width of the images that the file takes, as it declares them."""
        return tuple(self._session.get_inputs()[0].shape[1:])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(str(value.name) for value in self._session.get_outputs())

    def run(self, images: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
        """Outputs by name, (B,) or (B, H, W), of images (B, C, H, W) in the file's depth, in one batch.

        Raises WorkError where the runtime fails.
        """
        try:
            found = self._session.run(None, {"images": images})
        except Exception as error:
            raise WorkError(f"ONNX Runtime {self.version} fails on {self.name}: {_first_line(error)}") from error
        return dict(zip(self.outputs, found, strict=True))

    def run_in_batches(
        self, images: NDArray[np.generic], size: int, progress: Progress | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Outputs by name of N > 0 images (N, C, H, W), in batches of at most `size`."""
        parts = []
        for start in range(0, len(images), size):
            parts.append(self.run(images[start : start + size]))
            if progress is not None:
                progress("scoring", min(start + size, len(images)), len(images), f"in batches of {size}")
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
