"""amiss learns what normal images look like, then says how anomalous a new one is, at a guaranteed false-alarm rate."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amiss.calibration.table import ScoreTable
    from amiss.detector import Detector
    from amiss.plain import InputError, WorkError

__version__ = version("amiss")
__all__ = ["Detector", "InputError", "ScoreTable", "WorkError", "__version__"]


_HOMES = {
    "Detector": "amiss.detector",
    "InputError": "amiss.plain",
    "ScoreTable": "amiss.calibration.table",
    "WorkError": "amiss.plain",
}


def __getattr__(name: str) -> object:
    """Import a name from its module only when it is asked for, so that `import amiss` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'amiss' has no attribute {name!r}")
