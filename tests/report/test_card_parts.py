"""What a card says of a model file, and which limits follow from what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amiss import Detector, catalog
from amiss.calibration.conformal import Calibration
from amiss.calibration.drift import Drift
from amiss.evaluation.metrics import Interval
from amiss.evaluation.resampling import share
from amiss.evaluation.result import evaluate
from amiss.evaluation.robustness import Attacked
from amiss.methods.arae import ARAE
from amiss.methods.council import Council
from amiss.protocols.labels import Labels
from amiss.report.card import decided, found, limits, told, trained
from amiss.report.card.content import LeftOut
from amiss.report.card.labelled import Labelled, Rival, Separation
from amiss.report.card.limits import Measured
from amiss.report.card.stressed import Changed, Corrupted, Drifted
from amiss.transforms.corruptions import CONDITIONS

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
DETECTOR = Detector("pca", fpr=0.1).fit(IMAGES)
NOTHING = Measured(*[LeftOut("not asked for")] * 5)  # type: ignore[arg-type]


def with_record(**facts):
    artifact = DETECTOR.artifact
    return Detector.of(replace(artifact, record={**artifact.record, **facts}))


def lines(measured, detector=DETECTOR, signs=()):
    return "\n".join(limits.limits(detector, measured, signs).lines)


def labelled(normal, anomalous, threshold=0.5):
    scores, labels = np.concatenate([normal, anomalous]), np.repeat([0, 1], [len(normal), len(anomalous)])
    alarms, detected = (share(int((part > threshold).sum()), len(part)) for part in (normal, anomalous))
    result = evaluate(scores, Labels(labels))
    return Labelled(normal, anomalous, alarms, Separation(result, result.auroc_interval, detected))


# What the model file tells


@pytest.mark.parametrize("name", catalog.names())
def test_every_setting_of_every_method_is_listed_with_its_meaning(name):
    method = catalog.load(name)
    rows = list(told.settings(method))
    names = [row[0] for row in rows]
    assert len(names) == len(set(names))
    assert all(meaning for _, _, meaning in rows)
    assert set(vars(method)) <= set(names)


def test_settings_of_parts_stand_under_them():
    rows = {name: value for name, value, _ in told.settings(ARAE())}
    assert rows["adversary"] == "Linf"
    assert rows["adversary.eps"] == str(ARAE().adversary.eps)
    members = {name: value for name, value, _ in told.settings(Council())}
    assert members["members"] == "gradcon, knn, pca"
    assert members["members.1.k"] == "5"


def test_the_data_are_counted_and_skipped_files_named():
    facts = {**DETECTOR.artifact.record["data"], "skipped": [[f"{i}.png", f"{i}.png is cut short"] for i in range(23)]}
    part = told.data(with_record(data=facts).artifact)
    rows = dict(part.grids[0].rows)
    assert rows["trained on"] == "48"
    assert rows["set aside for calibration"] == "12"
    assert rows["skipped, because they could not be read"] == "23"
    assert part.lines[0] == "0.png is cut short"
    assert part.lines[-1] == "and 3 more"
    assert any(facts["fingerprint"] in line for line in part.text)


def test_an_old_record_is_no_trouble():
    bare = Detector.of(replace(DETECTOR.artifact, record={}))
    assert told.data(bare.artifact).left_out
    assert dict(told.method(bare.artifact).grids[1].rows)["device"] == "not kept"
    assert trained.training(bare, ()).left_out
    odd = with_record(data=[1], log={"a": 1}, reviewed="x", recalibrated=3, given=[])
    assert told.data(odd.artifact).left_out
    assert told.history(odd.artifact.record) == ()


def test_the_guarantee_is_one_exact_sentence():
    assert decided.guarantee(Calibration(np.arange(19.0), 0.05)) == (
        "If the 19 calibration images and one new normal image are exchangeable, the new image is labelled anomalous "
        "with a probability of at most 1/20 = 5\N{NO-BREAK SPACE}%, which is within the 5\N{NO-BREAK SPACE}% asked for."
    )
    assert "at most 10/201 = 4.98\N{NO-BREAK SPACE}%" in decided.guarantee(Calibration(np.arange(200.0), 0.05))
    assert "nothing is guaranteed" in decided.guarantee(Calibration(np.arange(9.0), None, 3.0))
    assert "no decision" in decided.guarantee(Calibration(np.arange(9.0)))


def test_the_decision_tells_its_history():
    record = {
        "given": {"group_by": "shift"},
        "recalibrated": {"when": "2026-01-02", "images": 40, "given": 44, "before": 12, "fingerprint": "f00d"},
        "reviewed": {"when": "2026-01-01", "anomalous": 1, "unsure": 2, "joined": 3},
    }
    part = decided.decision(with_record(**record))
    assert part.lines[0].startswith("2026-01-01: fitted anew after a review of its images: 1 image marked anomaly left")
    assert "40 distinct images of 44 given, in place of 12; fingerprint f00d" in part.lines[1]
    assert "groups of g images" in part.text[-1]
    assert decided.decision(DETECTOR).lines == ()


# Training


def epochs(losses, criteria=None, phase="train"):
    return [
        {"event": "epoch", "phase": phase, "epoch": i + 1, "losses": {"recon": loss}}
        | ({} if criteria is None else {"criterion": criteria[i]})
        for i, loss in enumerate(losses)
    ]


def test_phases_tell_the_epoch_that_was_kept_of_the_last_start():
    log = [*epochs([9.0]), {"event": "restart", "reason": "stood still"}, *epochs([3.0, 2.0, 1.0], [0.5, 0.2, 0.4])]
    detector = with_record(log=[*log, *epochs([1.0, 0.5], phase="second")])
    first, second = trained.phases(detector.artifact)
    assert (first.name, first.epochs, first.kept, first.criterion, first.still) == ("train", 3, 2, 0.2, False)
    assert (second.name, second.epochs, second.kept) == ("second", 2, None)
    assert trained.restarts(detector.artifact) == 1
    rows = trained.training(detector, ()).grids[0].rows
    assert rows == (("train", "3", "2", "0.2"), ("second", "2", "the last", "–"))
    assert "began anew 1 time " in lines(NOTHING, detector)


def test_signs_of_broken_training_are_told():
    assert trained.signs(DETECTOR, None) == ()
    still = with_record(log=epochs([0.25, 0.25]))
    assert any("did not change any more" in sign for sign in trained.signs(still, None))
    flat = Detector.of(replace(DETECTOR.artifact, calibration_scores=np.full(12, 2.0)))
    assert any("have the same score" in sign for sign in trained.signs(flat, None))
    signs = trained.signs(flat, None)
    assert limits.limits(flat, NOTHING, signs).lines[0] == signs[0]
    assert trained.training(still, trained.signs(still, None)).lines[0].startswith("The losses of the phase 'train'")


def test_a_warning_of_the_last_start_is_a_sign():
    warning, restart = {"event": "warning", "reason": "one picture"}, {"event": "restart", "reason": "dead"}
    assert trained.signs(with_record(log=[*epochs([3.0, 2.0]), warning]), None) == ("Training warned: one picture.",)
    assert trained.signs(with_record(log=[warning, restart, *epochs([3.0, 2.0])]), None) == ()


def test_counterparts_that_are_all_alike_are_a_sign(monkeypatch):
    monkeypatch.setattr("amiss.report.explained._counterparts", lambda detector, pixels: np.full_like(pixels, 90))
    assert any("all but one picture" in sign for sign in trained.signs(DETECTOR, IMAGES[:, None]))


# Limits


def test_without_labels_the_card_says_that_detection_is_not_known():
    assert "whether the model finds any is not known" in lines(NOTHING)
    only = replace(NOTHING, labelled=Labelled(np.arange(50.0), np.empty(0), share(1, 50), None))
    assert "whether the model finds any is not known" in lines(only)


def test_a_good_model_has_no_limit_of_separation():
    good = replace(NOTHING, labelled=labelled(np.linspace(0, 0.4, 50), np.linspace(0.6, 1, 50)))
    text = lines(good)
    for words in ("not known", "chance", "misses", "of no use", "read the intervals"):
        assert words not in text


def test_chance_and_worse_are_called_so():
    rng = np.random.default_rng(0)
    assert "cannot be told from chance" in lines(replace(NOTHING, labelled=labelled(rng.random(60), rng.random(60))))
    worse = labelled(np.linspace(0.6, 1, 50), np.linspace(0, 0.4, 50))
    text = lines(replace(NOTHING, labelled=worse))
    assert "of no use for them" in text
    assert "misses 100\N{NO-BREAK SPACE}%" in text


def test_few_labelled_images_and_leaks_are_named():
    found = labelled(np.linspace(0, 0.4, 12), np.linspace(0.6, 1, 50))
    text = lines(replace(NOTHING, labelled=found, leaked=3))
    assert "Only 12 normal images were labelled" in text
    assert "3 labelled normal images of 12 equal images that the model was fitted on" in text


def rival(ahead, low, high):
    return Rival("kNN on raw pixels", 0.9, Interval(0.8, 0.95, 0.95, 10), ahead, Interval(low, high, 0.95, 10), None)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (rival(-0.05, -0.08, -0.01), "behind kNN on raw pixels by 0.050 AUROC"),
        (rival(0.01, -0.02, 0.03), "not told apart from kNN on raw pixels, which is simpler"),
        (rival(0.05, 0.02, 0.08), ""),
    ],
)
def test_baselines_that_are_as_good_are_a_limit(one, said):
    text = lines(replace(NOTHING, rivals=[one]))
    assert (said in text) if said else ("kNN" not in text)


@pytest.mark.parametrize(("attacked", "collapses"), [(0.85, False), (0.69, True), (0.2, True)])
def test_an_attack_that_takes_half_of_it_is_a_limit(attacked, collapses):
    rows = [Attacked(0.0, 0.9, 0.0), Attacked(0.01, attacked, 0.1)]
    assert ("from 0.900" in lines(replace(NOTHING, attack=rows))) == collapses


def corrupted(above, shift):
    plain = Changed(share(5, 100), 0.0)
    rows = {name: (plain,) * 5 for name in CONDITIONS}
    rows["rain"] = (plain, plain, Changed(share(above, 100), shift), plain, plain)
    return Corrupted("new ones", 100, plain, rows, ())


def test_conditions_that_raise_alarms_or_hide_anomalies_are_limits():
    assert "Raises more false alarms than promised under rain (from level 3: 60\N{NO-BREAK SPACE}%)." in lines(
        replace(NOTHING, corruptions=corrupted(60, 0.0))
    )
    assert "Under rain normal images look more normal than they are" in lines(
        replace(NOTHING, corruptions=corrupted(5, -20.0))
    )
    quiet = lines(replace(NOTHING, corruptions=corrupted(11, -3.0)))
    assert "rain (" not in quiet
    assert "Under rain" not in quiet


def test_the_table_of_conditions_marks_and_shades_alarms():
    part = found.corruption_part(corrupted(60, 4.25), Calibration(np.arange(99.0), 0.05))
    alarms, shifts = part.grids
    row = dict((row[0], row[1:]) for row in alarms.rows)["rain"]
    assert row[2] == "60\N{NO-BREAK SPACE}% ▲"
    assert row[0] == "5\N{NO-BREAK SPACE}%"
    at = [row[0] for row in alarms.rows].index("rain")
    assert alarms.heat[at] == (0, 0, 3, 0, 0)
    assert dict((row[0], row[1:]) for row in shifts.rows)["rain"][2] == "+4.2"


def test_where_the_promise_holds_marks_are_rare():
    """Every share of 100 images at a rate of 5 %: a mark in forty of them has a probability of at most 5 %."""
    from scipy.stats import binom

    marked = [k for k in range(101) if found.alarming(Changed(share(k, 100), 0.0), 0.05)]
    assert 40 * binom.pmf(marked, 100, 0.05).sum() <= 0.05
    assert marked


@pytest.mark.parametrize("p_value", [0.2, 0.001])
def test_drift_is_a_limit_where_it_is_found(p_value):
    drifted = Drifted(Drift(0.2, p_value, 80), share(8, 80), 61.0)
    assert ("recent images differ" in lines(replace(NOTHING, drift=drifted))) == (p_value < 0.01)
    part = found.drift_part(drifted, DETECTOR.calibration, 0.01)
    assert part.text[0].startswith("The images differ") == (p_value < 0.01)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fpr": None}, "It makes no decision"),
        ({"fpr": None, "threshold": 1.0}, "set by hand: nothing is guaranteed"),
        ({"fpr": None, "calibration_scores": np.empty(0)}, "there are no p-values"),
        ({}, "Only 12 images calibrate: no p-value is below 7.69"),
    ],
)
def test_the_decision_has_limits_of_its_own(change, said):
    assert said in lines(NOTHING, Detector.of(replace(DETECTOR.artifact, **change)))


def test_what_was_not_measured_is_left_out_with_the_reason():
    calibration = DETECTOR.calibration
    gone = LeftOut("not asked for")
    parts = [
        found.labelled_part(gone, calibration),
        found.compared_part(gone, gone, "pca"),
        found.attack_part(gone),
        found.corruption_part(gone, calibration),
        found.drift_part(gone, calibration, 0.01),
    ]
    assert [part.left_out for part in parts] == ["not asked for"] * 5
    assert not any(part.grids or part.lines or part.text for part in parts)


def test_labelled_figures_stand_with_their_intervals():
    part = found.labelled_part(labelled(np.linspace(0, 0.51, 50), np.linspace(0.4, 1, 40)), DETECTOR.calibration)
    rows = {row[0]: row[1:] for row in part.grids[0].rows}
    assert (
        rows["false alarms"][0] == "1\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}50\N{NO-BREAK SPACE}(2\N{NO-BREAK SPACE}%)"
    )
    assert "0.0506\N{NO-BREAK SPACE}% to 10.6\N{NO-BREAK SPACE}%" in rows["false alarms"][1]
    assert "10\N{NO-BREAK SPACE}% is promised" in rows["false alarms"][1]
    assert 0.9 < float(rows["AUROC"][0]) < 1
    assert [chart.title for chart in part.charts] == ["Scores by label", "ROC curve"]
