from __future__ import annotations

import json

import numpy as np
import pytest

from amiss.contracts import InputError
from amiss.evaluation.metrics import Threshold, auroc, f1
from amiss.evaluation.result import evaluate
from amiss.protocols.labels import Labels

rng = np.random.default_rng(0)
Y = np.repeat([0, 1], [70, 30])
S = rng.normal(size=100) + Y


def test_a_result_holds_what_a_reader_needs() -> None:
    own = Threshold(0.8, "conformal, fpr 0.05")
    recon = rng.normal(size=100) + 0.3 * Y
    result = evaluate(S, Labels(Y), terms={"recon": recon}, threshold=own, seed=4)
    assert result.auroc == auroc(S, Y)
    assert result.auroc_interval.low < result.auroc < result.auroc_interval.high
    assert result.terms_auroc == {"recon": auroc(recon, Y)}
    assert (result.normal, result.anomalous, result.base_rate) == (70, 30, 0.3)
    assert result.f1[0] == f1(S, Y, threshold=own, positive="anomaly")
    assert [(x.positive, x.threshold.rule.split(",")[0]) for x in result.f1] == [
        ("anomaly", "conformal"),
        ("normal", "conformal"),
        ("anomaly", "maximises F1"),
        ("normal", "maximises F1"),
    ]
    assert result.f1[2].value >= result.f1[0].value
    assert len(evaluate(S, Labels(Y)).f1) == 2


def test_the_json_has_the_reports_names_and_survives_a_round_trip() -> None:
    result = evaluate(S, Labels(Y), terms={"grad": -S})
    written = result.to_json()
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    names = {"image_AUROC", "image_AUPR_in", "image_AUPR_out", "image_FPR95", "image_F1", "image_overlap"}
    assert names <= written.keys()
    assert written["image_AUROC"] == result.auroc
    assert written["base_rate"] == 0.3
    assert written["marked"] is False


def test_other_uses_of_the_labels_mark_the_result() -> None:
    labels = Labels(Y)
    assert evaluate(S, labels).purposes == ("metric",)
    labels.reveal("best epoch")
    result = evaluate(S, labels)
    assert result.marked
    assert result.purposes == ("metric", "best epoch")


def test_terms_and_labels_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="must be equal"):
        evaluate(S[:-1], Labels(Y))
    with pytest.raises(InputError, match="must be equal"):
        evaluate(S, Labels(Y), terms={"recon": S[:-1]})
