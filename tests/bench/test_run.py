"""One cell: what its row holds, and that labels serve the metric alone."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from amiss.bench import run as module
from amiss.bench.cell import Cell, from_json
from amiss.bench.run import run_cell
from amiss.bench.sources import official
from amiss.contracts import InputError
from amiss.data.images import Images
from amiss.evaluation.metrics import auroc
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.ocsvm import OCSVM
from amiss.methods.pca import PCA
from amiss.protocols.labels import Labels
from amiss.protocols.one_vs_rest import Entire
from amiss.protocols.task import Protocol, Task, Trial

SOURCE = official()
SMALL = GradCon(epochs=2)


class Peeking(Images):
    """Training images that look at the labels of the test whenever they are read."""

    def __init__(self, images, labels):
        super().__init__(images.take(np.arange(len(images))).numpy())
        self.peek = labels

    def take(self, index):
        self.peek.reveal("metric")
        return super().take(index)


@dataclass(frozen=True)
class Few(Protocol):
    """The bundled images, few of them, with a labelled selection."""

    leak: str = ""

    def needs(self):
        return (("demo", "train"), ("demo", "test"))

    def task(self, source, seed):
        train, test = source("demo", "train").images, source("demo", "test")
        own, other = np.flatnonzero(test.labels == 0), np.flatnonzero(test.labels == 1)
        tested, chosen = np.r_[own[:60], other[:60]], np.r_[own[60:90], other[60:90]]
        if self.leak == "selection":
            chosen = tested
        train = train.subset(np.arange(200))
        labels = Labels(test.labels[tested])
        if self.leak == "look":
            labels.reveal("to see how it goes")
        if self.leak == "training":
            train = Peeking(train, labels)
        first = Trial(test.images.subset(tested), labels)
        selection = Trial(test.images.subset(chosen), Labels(test.labels[chosen]))
        other_trial = Trial(
            first.images, Labels(1 - labels.reveal("metric") if self.leak == "metric" else test.labels[tested])
        )
        return Task("few", train, {"first": first, "second": other_trial}, selection=selection)


@pytest.fixture(scope="module")
def row():
    return run_cell(Cell(SMALL, Few(), seed=3), SOURCE, device="cpu")


def test_a_row_is_json_and_tells_its_cell(row, monkeypatch):
    monkeypatch.setattr("amiss.bench.cell.protocol_classes", lambda: {"Few": Few})
    assert from_json(json.loads(json.dumps(row))["cell"]) == Cell(SMALL, Few(), seed=3)
    assert row["key"] == Cell(SMALL, Few(), seed=3).key


def test_a_row_holds_what_a_reader_needs(row):
    assert row["train"] + row["validation"] == 200
    assert row["validation"] == 20
    assert row["epochs"] == 2
    assert row["selection"] == "lowest loss of held-out normal images"
    assert row["marks"] == []
    assert set(row["trials"]) == {"first", "second"}
    assert set(row["trials"]["first"]["terms_auroc"]) >= {"recon", "grad"}
    assert [f["threshold"]["rule"] for f in row["trials"]["first"]["image_F1"][:2]] == [
        "maximises F1, normal positive, on 60 labelled images"
    ] * 2
    assert set(row["versions"]) >= {"amiss", "torch"}
    assert row["code"] == module.code()
    assert row["seconds"] >= 0
    assert row["last_losses"]["recon"] > 0


def test_controls_stand_beside_every_trial(row):
    found = row["controls"]["first"]
    task = module.with_held_out(Cell(SMALL, Few(), seed=3), Few().task(SOURCE, 3))
    assert len(task.train) == row["train"]
    x = task.test.take(np.arange(120)).double() / 255
    y = task.labels.reveal("metric")
    assert found["mean brightness"] == pytest.approx(auroc(x.mean((1, 2, 3)), y))
    usual = np.median(task.train.take(np.arange(row["train"])).double().mean((1, 2, 3)) / 255)
    assert found["mean brightness, two-sided"] == pytest.approx(auroc((x.mean((1, 2, 3)) - usual).abs(), y))
    assert set(found) == {n + s for n in ("total variation", "mean brightness") for s in ("", ", two-sided")}


def test_other_weights_of_a_two_part_score(row):
    found = row["reweighted"]
    assert found["part"] == "grad"
    assert found["auroc"]["0.0"] == pytest.approx(row["trials"]["first"]["terms_auroc"]["recon"])
    assert found["auroc"]["1.0"] == pytest.approx(row["trials"]["first"]["image_AUROC"], abs=1e-3)
    assert len(set(found["auroc"].values())) > 2


def test_quantiles_are_those_of_each_side(row):
    normal, anomalous = row["quantiles"]["recon"]
    assert len(normal) == len(anomalous) == module.QUANTILES
    assert normal == sorted(normal)
    assert np.median(normal) < np.median(anomalous)


def test_the_same_cell_gives_the_same_numbers():
    first, again = (run_cell(Cell(SMALL, Few(), seed=1), SOURCE, device="cpu") for _ in range(2))
    other = run_cell(Cell(SMALL, Few(), seed=2), SOURCE, device="cpu")
    assert first["trials"] == again["trials"]
    assert first["trials"] != other["trials"]


def test_a_cell_cut_off_goes_on_from_its_checkpoint(tmp_path, row):
    cell, told = Cell(SMALL, Few(), seed=3), []

    class Cut(Exception):  # noqa: N818  stands for the end of a process
        pass

    def cut(what, done, total, detail):
        if detail.startswith("epoch 2"):
            raise Cut

    with pytest.raises(Cut):
        run_cell(cell, SOURCE, tmp_path / "fit", device="cpu", progress=cut)
    again = run_cell(cell, SOURCE, tmp_path / "fit", device="cpu", progress=lambda *event: told.append(event))
    assert {event[3].split(",")[0] for event in told if event[0].startswith("training")} == {"epoch 2"}
    assert again["trials"] == row["trials"]
    assert "seconds" not in again  # nobody knows what it cost


def test_what_another_version_left_is_begun_anew(tmp_path, row, monkeypatch):
    cell = Cell(SMALL, Few(), seed=3)
    run_cell(cell, SOURCE, tmp_path / "fit", device="cpu")
    monkeypatch.setattr(module, "code", lambda: "another")
    told = []
    again = run_cell(cell, SOURCE, tmp_path / "fit", device="cpu", progress=lambda *event: told.append(event))
    assert {event[3].split(",")[0] for event in told if event[0].startswith("training")} == {"epoch 1", "epoch 2"}
    assert again["trials"] == row["trials"]


def test_the_last_epochs_are_recorded_for_reporting_only():
    row = run_cell(Cell(SMALL, Few(), curve=1), SOURCE, device="cpu")
    assert len(row["curve"]) == 1
    assert row["marks"] == []
    plain = run_cell(Cell(SMALL, Few()), SOURCE, device="cpu")
    assert "curve" not in plain
    assert row["trials"]["first"]["image_AUROC"] == plain["trials"]["first"]["image_AUROC"]


def test_choosing_by_anomalies_is_named():
    row = run_cell(Cell(replace(SMALL, epochs=3), Few(), select=True), SOURCE, device="cpu")
    assert row["selection"] == "AUROC of 60 labelled validation images, anomalies among them"
    assert "curve" not in row


def test_choosing_by_anomalies_needs_some():
    with pytest.raises(InputError, match="has no labelled selection to choose an epoch by"):
        run_cell(Cell(KNN(), Entire("demo", (0,)), select=True), SOURCE, device="cpu")


def test_an_attack_is_measured_by_radius():
    row = run_cell(Cell(PCA(), Few(), attack=(0.0, 0.1)), SOURCE, device="cpu")
    clean, hard = row["attacked"]
    assert (clean["eps"], hard["eps"]) == (0.0, 0.1)
    assert clean["auroc"] == pytest.approx(row["trials"]["first"]["image_AUROC"])
    assert hard["auroc"] < clean["auroc"]


def test_methods_that_select_nothing_train_on_everything():
    row = run_cell(Cell(KNN(), Few()), SOURCE, device="cpu")
    assert (row["train"], row["validation"], row["epochs"]) == (200, 0, row["epochs"])


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        ("selection", "selection"),
        ("look", "to see how it goes"),
        ("metric", "metric"),
        ("training", "revealed before it was scored: metric"),
    ],
)
def test_a_leaky_protocol_is_marked_even_if_it_does_not_confess(leak, told):
    row = run_cell(Cell(PCA(), Few(leak)), SOURCE, device="cpu")
    assert any(told in mark for mark in row["marks"])


def test_an_honest_protocol_is_not_marked():
    assert run_cell(Cell(OCSVM(), Few()), SOURCE, device="cpu")["marks"] == []
