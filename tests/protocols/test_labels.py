from __future__ import annotations

import numpy as np
import pytest

from amiss.contracts import InputError
from amiss.protocols.labels import METRIC, REPORT, Labels


def test_looks_are_recorded_and_only_the_metric_and_reports_leave_no_mark() -> None:
    labels = Labels([0, 1, 1])
    assert len(labels) == 3
    assert labels.purposes == ()
    assert labels.reveal("metric").tolist() == [0, 1, 1]
    labels.reveal("metric")
    assert labels.purposes == (METRIC,)
    labels.reveal(REPORT)
    assert not labels.marked
    labels.reveal("selection by validation anomalies")
    assert labels.purposes == (METRIC, REPORT, "selection by validation anomalies")
    assert labels.marked


def test_a_revealed_copy_does_not_change_the_labels() -> None:
    labels = Labels(np.array([True, False]))
    labels.reveal("metric")[:] = 7
    assert labels.reveal("metric").tolist() == [1, 0]
    assert labels.reveal("metric").dtype == np.int64


def test_other_values_and_empty_purposes_are_refused() -> None:
    with pytest.raises(InputError, match=r"label 1 is .*2.*0 \(normal\) or 1"):
        Labels([0, 2])
    with pytest.raises(InputError, match="shape"):
        Labels([[0, 1]])
    with pytest.raises(InputError, match="purpose"):
        Labels([0, 1]).reveal(" ")
