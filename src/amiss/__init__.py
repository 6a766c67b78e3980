"""amiss learns what normal images look like, then says how anomalous a new one is, at a guaranteed false-alarm rate."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from amiss.contracts import InputError, WorkError

if TYPE_CHECKING:
    from amiss.calibration.table import ScoreTable
    from amiss.detector import Detector

__version__ = version("amiss")
__all__ = ["Detector", "InputError", "ScoreTable", "WorkError", "__version__"]


def __getattr__(name: str) -> object:
    """Import the detector and its table only when they are asked for, so that `import amiss` stays light."""
    if name == "Detector":
        from amiss.detector import Detector

        return Detector
    if name == "ScoreTable":
        from amiss.calibration.table import ScoreTable

        return ScoreTable
    raise AttributeError(f"module 'amiss' has no attribute {name!r}")
