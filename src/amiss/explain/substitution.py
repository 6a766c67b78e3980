"""Substitution: what the score loses when a patch of the image is replaced by what the scorer takes for normal there.

Ours: occlusion with the reconstruction in place of black, which may itself be an anomaly, and hides no dark defect.
"""

from __future__ import annotations

from torch import Tensor

from amiss.contracts import Scorer
from amiss.explain.occlusion import occlusion
from amiss.explain.residual import reconstruction


def substitution(scorer: Scorer, x: Tensor, patch: int = 1, *, stride: int | None = None) -> Tensor:
    """Signed change of the score, (B, H, W): score(x) - score(x with the patch as reconstructed), as in `occlusion`.

    Positive: what stands there, and not what was expected, makes the image anomalous.
    Raises InputError for a scorer without a reconstruction, and for patches as `occlusion` does.
    """
    return occlusion(scorer, x, patch, stride=stride, fill=reconstruction(scorer, x))
