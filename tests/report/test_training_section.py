"""What a page says of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from amiss import Detector
from amiss.report.training import gap_line, training_section

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
ARTIFACT = Detector("pca", fpr=None).fit(IMAGES).artifact


def epochs(phase, losses, criteria=None):
    criteria = criteria or [None] * len(losses)
    return [
        {"event": "epoch", "phase": phase, "epoch": i + 1, "losses": {"recon": loss}}
        | ({} if criterion is None else {"criterion": criterion})
        for i, (loss, criterion) in enumerate(zip(losses, criteria, strict=True))
    ]


def section(log):
    return training_section(replace(ARTIFACT, record={"log": log, "seconds": 12.3}))


def test_every_loss_of_every_phase_has_a_chart():
    found = section(epochs("gan", [3.0, 2.0]) + epochs("total variation", [1.0, 0.5, 0.25]))
    assert [chart.title for chart in found.charts] == ["gan: recon", "total variation: recon"]
    assert (
        found.lines[0]
        == "Trained for 2 epochs of the phase 'gan', then 3 epochs of the phase 'total variation', 12 s in all."
    )
    assert "No sign of broken training" in found.lines[1]


def test_the_epoch_that_was_kept_is_marked():
    found = section(epochs("train", [3.0, 2.0, 1.0], [0.5, 0.2, 0.4]))
    assert [chart.title for chart in found.charts] == ["recon", "held-out criterion"]
    assert "kept: 2" in found.charts[1].svg
    assert "kept" not in found.charts[0].svg


def test_restarts_are_told_and_their_epochs_left_out():
    log = [
        *epochs("train", [9.0, 9.0]),
        {"event": "restart", "reason": "stood still in epoch 2"},
        *epochs("train", [3.0, 1.0]),
    ]
    found = section(log)
    assert "from 3 in epoch 1" in found.charts[0].summary
    assert "1 time: stood still in epoch 2." in found.lines[1]
    assert not any("No sign" in line for line in found.lines)


def test_a_warning_is_told_unless_training_began_anew_after_it():
    warning = {"event": "warning", "reason": "one picture"}
    assert "Warning: one picture." in section([*epochs("train", [3.0]), warning]).lines
    anew = section([warning, {"event": "restart", "reason": "one picture"}, *epochs("train", [3.0, 2.0])])
    assert not any("Warning" in line for line in anew.lines)
    assert not any("No sign" in line for line in section([*epochs("train", [3.0, 2.0]), warning]).lines)


def test_what_does_not_train_has_no_section_and_odd_logs_do_no_harm():
    assert section([]) is None
    assert section("text") is None
    odd = [
        {"event": "epoch"},
        {"event": "epoch", "phase": "a", "epoch": "1", "losses": {"x": float("nan"), "y": "z"}},
        7,
    ]
    assert section(odd).charts == ()


def test_many_losses_are_cut():
    log = [
        {"event": "epoch", "phase": "a", "epoch": e, "losses": {f"l{i}": 1.0 / e for i in range(20)}} for e in (1, 2)
    ]
    found = section(log)
    assert len(found.charts) == 12
    assert "8 more losses are in the model's log." in found.lines


def test_training_is_compared_with_calibration():
    assert gap_line(np.array([1.0]), np.empty(0)) == ""
    assert "training images 1, of calibration images 2" in gap_line(np.array([1.0]), np.array([2.0]))
