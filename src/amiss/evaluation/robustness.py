"""How far normal images, changed by an adversary, are taken for anomalies (Table 5 of ARAE, Salehi et al., 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amiss.adversaries.perturbation import L2, Linf
from amiss.contracts import InputError, Progress, Scorer
from amiss.engine.batches import Batches, batch
from amiss.engine.progress import silent
from amiss.engine.runtime import derive, keep_workspace, seeded
from amiss.engine.scoring import MICRO_BATCH, device_of, score_images, score_terms
from amiss.evaluation.metrics import auroc
from amiss.protocols.labels import METRIC, Labels


@dataclass(frozen=True)
class Attacked:
    """What is left of a detector when its normal test images are attacked within eps."""

    eps: float  # radius of the attack, 0 for none
    auroc: float  # of attacked normal images against untouched anomalies
    raised: float  # how much the attack raised the normal images' score, in the mean


def attacked_auroc(
    scorer: Scorer,
    images: Batches,
    labels: Labels,
    eps: Sequence[float],
    *,
    term: str | None = None,
    attack: Linf | L2 = Linf(steps=40),
    seed: int = 0,
    progress: Progress = silent,
) -> list[Attacked]:
    """AUROC of N images (C, H, W) in [0, 1] for each eps, the normal ones changed so that they score higher.

    labels: of the N images. term: which part of the score is attacked and measured; the score itself if not given.
    attack: its radius is replaced by each eps in turn. seed: of the random starts, which do not depend on what else is
    measured. The scorer must be frozen, as fits and model files give it.
    Raises InputError for a scorer or a term without a gradient by the image, an unknown term, a radius that the attack
    does not take, unequal numbers of labels and images, or one class only.
    """
    if len(labels) != len(images):
        raise InputError(f"{len(labels)} labels were given for {len(images)} images: give one label per image")
    measure = _measure(scorer, images, term)
    y = labels.reveal(METRIC)
    clean = score_images(scorer, images) if term is None else score_terms(scorer, images)[term]
    normal = np.flatnonzero(y == 0)
    rows = []
    for radius in eps:
        scores = clean.copy()
        if radius != 0:
            made = _attack(replace(attack, eps=radius), measure, scorer, images, normal, seed, progress)
            scores[normal] = made
        rows.append(Attacked(radius, auroc(scores, y), float((scores - clean)[normal].mean())))
    return rows


def _measure(scorer: Scorer, images: Batches, term: str | None) -> Callable[[Tensor], Tensor]:
    """The score or the term as a function of images; raises InputError where it has no gradient by them."""
    what = "its score" if term is None else f"the term {term!r}"
    if not scorer.differentiable:
        raise InputError(f"{type(scorer).__name__} cannot be attacked: it has no gradient by the image")

    def measure(x: Tensor) -> Tensor:
        return scorer(x) if term is None else scorer.terms(x)[term]

    x = batch(images, np.arange(min(1, len(images))), device_of(scorer))
    names = scorer.terms(x) if term is not None else {}
    if term is not None and term not in names:
        raise InputError(f"{type(scorer).__name__} has no term {term!r}: choose from {', '.join(names)}")
    with torch.enable_grad():
        if not measure(x.requires_grad_()).requires_grad:
            raise InputError(f"{type(scorer).__name__} cannot be attacked: {what} does not depend on the image")
    return measure


def _attack(
    attack: Linf | L2,
    measure: Callable[[Tensor], Tensor],
    scorer: Scorer,
    images: Batches,
    normal: NDArray[np.intp],
    seed: int,
    progress: Progress,
) -> NDArray[np.float64]:
    """Scores (n,) of the normal images once each was attacked, in micro-batches with a seed of their own."""
    device = device_of(scorer)
    keep_workspace()
    parts = [np.zeros(0)]
    for start in range(0, len(normal), MICRO_BATCH):
        index = normal[start : start + MICRO_BATCH]
        with torch.no_grad(), seeded(derive(seed, "attack", start)):
            hard = attack(measure, batch(images, index, device))
            parts.append(measure(hard).double().cpu().numpy())
        progress(f"attacking within {attack.eps:g}", start + len(index), len(normal), "")
    return np.concatenate(parts)
