"""amiss learns what normal images look like, then says how anomalous a new one is, at a guaranteed false-alarm rate."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from amiss.contracts import InputError, WorkError

if TYPE_CHECKING:
    from amiss.detector import Detector, ScoreTable

__version__ = version("amiss")
__all__ = ["Detector", "InputError", "ScoreTable", "WorkError", "__version__"]


def __getattr__(name: str) -> object:
    """Import the detector only when it is asked for, so that `import amiss` stays light."""
    if name in {"Detector", "ScoreTable"}:
        from amiss import detector

        return getattr(detector, name)
    raise AttributeError(f"module 'amiss' has no attribute {name!r}")
