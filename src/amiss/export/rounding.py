"""How much of a score is rounding: torch in float32 against torch in float64."""

from __future__ import annotations

import copy

import numpy as np
import torch

from amiss.contracts import Scorer
from amiss.engine.scoring import MICRO_BATCH
from amiss.export.parity import Sample
from amiss.export.tolerance import TABLE, Scale
from amiss.transforms.unit import to_unit


@torch.no_grad()
def own_rounding(scorer: Scorer, images: Sample, scale: Scale) -> float:
    """What all images but a few differ by between float32 and float64, in units of the scale."""
    exact = copy.deepcopy(scorer).double()
    parts = torch.split(torch.from_numpy(np.ascontiguousarray(images.pixels)), MICRO_BATCH)
    scores = np.concatenate([exact(to_unit(part).double()).numpy() for part in parts])
    return float(np.quantile(scale.difference(images.scores, scores), 1 - TABLE.few))
