"""A cell's key is its content's: equal for equal settings, another for any change."""

import json
from dataclasses import replace

import pytest

from amiss import catalog
from amiss.bench.cell import Cell, from_json, protocol_classes, to_json
from amiss.contracts import InputError
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.protocols.merged_share import MergedShare
from amiss.protocols.one_vs_rest import Balanced, Entire

CELL = Cell(GradCon(epochs=30), Entire("mnist", (8,)), seed=1, attack=(0.05,), curve=2)

CHANGES = [
    replace(CELL, method=GradCon(epochs=31)),
    replace(CELL, method=GradCon(epochs=30, alpha=0.05)),
    replace(CELL, method=KNN()),
    replace(CELL, protocol=Entire("mnist", (8, 9))),
    replace(CELL, protocol=Entire("mnist", (8,), size=32)),
    replace(CELL, protocol=Balanced("mnist", 8)),
    replace(CELL, seed=2),
    replace(CELL, attack=()),
    replace(CELL, curve=3),
    replace(CELL, select=True),
]


@pytest.mark.parametrize("changed", CHANGES)
def test_any_change_changes_the_key(changed):
    assert changed.key != CELL.key
    assert len({cell.key for cell in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize("cell", [CELL, *CHANGES])
def test_a_cell_survives_json_and_keeps_its_key(cell):
    back = from_json(json.loads(json.dumps(to_json(cell))))
    assert back == cell
    assert back.key == cell.key
    assert back is not cell


def test_every_method_gives_a_cell_that_survives_json():
    for name in catalog.names():
        cell = Cell(catalog.load(name), Entire("mnist", (8,)))
        assert from_json(json.loads(json.dumps(to_json(cell)))) == cell


def test_settings_that_an_old_row_does_not_name_have_their_defaults():
    value = to_json(Cell(KNN(), Entire("mnist", (8,))))
    method, protocol = value["method"], value["protocol"]
    assert isinstance(method, dict)
    assert isinstance(protocol, dict)
    del value["curve"], method["k"], protocol["size"]
    assert from_json(value).key == Cell(KNN(), Entire("mnist", (8,))).key


def test_what_is_not_known_is_refused_by_name():
    value = to_json(CELL)
    for part, changed, told in [
        ("protocol", {"protocol": "Guess"}, "there is no protocol 'Guess': choose from .*Balanced"),
        ("protocol", {"protocol": "Entire", "dataset": "mnist"}, "not the settings of a cell"),
        (
            "protocol",
            {"protocol": "Entire", "dataset": "mnist", "normal": [8], "luck": 3},
            "not the settings of a cell",
        ),
        ("method", {"method": "gradcon", "luck": 3}, "luck"),
        ("method", None, "each an object of settings"),
        ("seed", "one", "not the settings of a cell"),
    ]:
        with pytest.raises(InputError, match=told):
            from_json({**value, part: changed})


def test_whole_numbers_and_real_ones_have_one_key():
    def cell(share, alpha):
        return Cell(GradCon(alpha=alpha), MergedShare("mnist", (8,), validation_share=share))

    assert cell(0, 1).key == cell(0.0, 1.0).key != cell(0.2, 1.0).key


def test_every_protocol_is_found_by_its_name():
    found = protocol_classes()
    assert found["Balanced"] is Balanced
    assert found["Entire"] is Entire
    assert "Protocol" not in found
