"""Every protocol is plain settings: it survives JSON, and two that differ have other keys."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from amiss.bench.cell import Cell, from_json, protocol_classes, to_json
from amiss.methods.pca import PCA
from amiss.protocols.ama_one_class import AmaOneClass
from amiss.protocols.conditions import Conditions, NoiseLevels
from amiss.protocols.cure_tsr import CureTsr
from amiss.protocols.folds import FiveFolds
from amiss.protocols.medical import Medical
from amiss.protocols.merged_share import MergedShare
from amiss.protocols.one_anomalous import OneAnomalous
from amiss.protocols.one_vs_rest import Balanced, Entire
from amiss.protocols.out_of_distribution import OutOfDistribution
from amiss.protocols.task import Protocol

EXAMPLES: tuple[Protocol, ...] = (
    AmaOneClass("mnist", 3, selection_anomalies=50),
    Balanced("cifar-10", 3, 28),
    Conditions("cifar-10", (3,), ("rain",), (1, 5)),
    CureTsr(("rain",), (1, 5), limit=100),
    Entire("mnist", (4, 5)),
    FiveFolds("fashion-mnist", 3, 10, "duplicate", 4),
    Medical("brain-mri", size=128),
    MergedShare("coil-20", None, 4, 0.75, 0.8, 0.0, 32),
    MergedShare("mnist", (3,)),
    NoiseLevels("mnist", (0.1, 0.5)),
    OneAnomalous("mnist", 3, "fence_gan"),
    OutOfDistribution("svhn", ("cifar-10", "celeba"), None),
    OutOfDistribution("mnist", ("kmnist",), selection_anomalies=50, selection_from="rest"),
)


@pytest.mark.parametrize("protocol", EXAMPLES, ids=lambda protocol: type(protocol).__name__)
def test_settings_survive_json(protocol: Protocol) -> None:
    cell = Cell(PCA(), protocol)
    again = from_json(json.loads(json.dumps(to_json(cell))))
    assert again.protocol == protocol
    assert again.key == cell.key
    with pytest.raises(FrozenInstanceError):
        protocol.size = 5  # type: ignore[attr-defined]


def test_every_protocol_has_an_example_and_its_fields_are_told() -> None:
    assert set(protocol_classes()) == {type(protocol).__name__ for protocol in EXAMPLES}
    assert len({Cell(PCA(), protocol).key for protocol in EXAMPLES}) == len(EXAMPLES)
    for protocol in EXAMPLES:
        assert all(side in ("train", "test", "all") for _, side in protocol.needs())
        assert fields(protocol)  # type: ignore[arg-type]
