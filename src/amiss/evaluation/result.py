"""All metrics of one set of scores, with what a reader needs to judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from numpy.typing import ArrayLike

from amiss.evaluation.metrics import (
    F1,
    Interval,
    Threshold,
    aupr_in,
    aupr_out,
    auroc,
    auroc_interval,
    best_f1_threshold,
    checked,
    f1,
    fpr_at_tpr,
    histogram_overlap,
)
from amiss.protocols.labels import METRIC, Labels

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

NAMES = {
    "auroc": "image_AUROC",
    "auroc_interval": "image_AUROC_interval",
    "aupr_in": "image_AUPR_in",
    "aupr_out": "image_AUPR_out",
    "fpr95": "image_FPR95",
    "f1": "image_F1",
    "overlap": "image_overlap",
}
"""The field's names of the metrics in JSON; terms stay under `terms_auroc`."""


@dataclass(frozen=True)
class Result:
    """Metrics of images scored by one model; higher score = more anomalous.."""

    auroc: float
    auroc_interval: Interval  # bootstrap over the test images; says nothing of training's own randomness
    aupr_in: float  # normal is positive
    aupr_out: float  # anomaly is positive; its chance level is the base rate
    fpr95: float  # share of normals flagged where 95 % of anomalies are; anomaly is positive
    f1: tuple[F1, ...]  # each names its positive class and its threshold's rule
    overlap: float  # percentage, 100 bins
    terms_auroc: dict[str, float]
    normal: int
    anomalous: int
    purposes: tuple[str, ...]  # everything that these labels were revealed for
    marked: bool  # whether that was more than the metric

    @property
    def base_rate(self) -> float:
        """Share of anomalous images, in (0, 1)."""
        return self.anomalous / (self.normal + self.anomalous)

    def to_json(self) -> dict[str, Json]:
        """Return the result as plain JSON values, under the names that reports use, base rate included."""
        values = {NAMES.get(name, name): _plain(value) for name, value in asdict(self).items()}
        return {**values, "base_rate": self.base_rate}


def evaluate(
    scores: ArrayLike,
    labels: Labels,
    *,
    terms: Mapping[str, ArrayLike] | None = None,
    threshold: Threshold | None = None,
    seed: int = 0,
) -> Result:
    """Measure scores (N,) against test labels.

    terms: parts of the score by name, (N,) each, for an AUROC each. threshold: the model's own, for its F1; the F1
    of the best threshold on these very labels stands beside it, named as such. seed: of the bootstrap.
    Raises InputError for scores that are not finite, unequal lengths, or labels of one class only.
    """
    s, y = checked(scores, labels.reveal(METRIC))
    named = [best_f1_threshold(s, y, positive="anomaly"), best_f1_threshold(s, y, positive="normal")]
    scored = [f1(s, y, threshold=named[0], positive="anomaly"), f1(s, y, threshold=named[1], positive="normal")]
    if threshold is not None:
        own = [f1(s, y, threshold=threshold, positive="anomaly"), f1(s, y, threshold=threshold, positive="normal")]
        scored = own + scored
    return Result(
        auroc=auroc(s, y),
        auroc_interval=auroc_interval(s, y, seed=seed),
        aupr_in=aupr_in(s, y),
        aupr_out=aupr_out(s, y),
        fpr95=fpr_at_tpr(s, y, tpr=0.95, positive="anomaly"),
        f1=tuple(scored),
        overlap=histogram_overlap(s, y),
        terms_auroc={name: auroc(term, y) for name, term in (terms or {}).items()},
        normal=int((y == 0).sum()),
        anomalous=int((y == 1).sum()),
        purposes=labels.purposes,
        marked=labels.marked,
    )


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} is not a JSON value")
