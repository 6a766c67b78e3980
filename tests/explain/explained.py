"""Small scorers in float64 whose weights have seen something, one of each kind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import ImageSpec, Method, Scorer
from amiss.methods.ama import AMA
from amiss.methods.arae import PLAIN
from amiss.methods.council import Council
from amiss.methods.ensemble import Ensemble
from amiss.methods.gradcon import PRESETS, GradCon
from amiss.methods.history_ad import HistoryAD
from amiss.methods.kde import KDE
from amiss.methods.knn import KNN
from amiss.methods.ocsvm import OCSVM
from amiss.methods.pca import PCA
from amiss.methods.typical import Typical
from amiss.testing.samples import synthetic
from tiny import tiny

SPEC = ImageSpec(1, 28, 28)
METHODS: dict[str, Method] = {
    "gradcon": GradCon(alpha=0.3),
    "cae": PRESETS["cae"],
    "vae": PRESETS["vae"],
    "ae": tiny(PLAIN),
    "ama": tiny(AMA()),
    "history_ad": tiny(HistoryAD()),
    "knn": KNN(),
    "pca": PCA(components=5),
    "kde": KDE(bandwidth=0.5),
    "ocsvm": OCSVM(),
    "ensemble": Ensemble(GradCon(alpha=0.3), runs=2),
    "council": Council(members=(GradCon(alpha=0.3), KNN(), KDE(bandwidth=0.5))),
    "typical": Typical(PCA(components=5)),
}
RECONSTRUCTING = ("gradcon", "cae", "vae", "ae", "ama", "knn", "pca", "ensemble", "council", "typical")
LAYERED = ("gradcon", "ensemble", "council")


def images(n: int, spec: ImageSpec = SPEC, first: int = 0) -> Tensor:
    """Images (n, C, H, W) in float64 of the easy set, whose background is black."""
    x = synthetic(spec, train=64).train.take(np.arange(first, first + n)).double() / 255
    return torch.where(x < 0.3, 0.0, x)


def scorer_of(name: str, spec: ImageSpec = SPEC) -> Scorer:
    """The method's scorer after a step of each phase, frozen, in float64."""
    torch.manual_seed(0)
    learner = METHODS[name].learner(spec)
    x = images(32, spec).float()
    for phase in learner.phases():
        learner.train()
        for _ in range(3 if phase.on == "train" else 1):
            phase.step(x)
        if phase.after_epoch is not None:
            phase.after_epoch()
    return learner.scorer().requires_grad_(False).eval().double()
