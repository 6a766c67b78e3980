"""Every method and preset keeps every promise, and the suite that says so finds what is broken."""

import os
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from amiss import catalog, methods
from amiss.contracts import ImageSpec
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.testing import CHECKS, Subject, check_method
from amiss.testing.samples import real, synthetic
from faulty import Faulty
from plug_in import Jury
from tiny import tiny

TESTS = Path(__file__).parent
OWN = sorted(name for name in catalog.names() if type(catalog.load(name)).__module__.startswith(methods.__name__ + "."))
FAMILIES = sorted({catalog.family(catalog.load(name)) for name in OWN})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks as small as these gain little from a second thread, which elsewhere has work to do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache(maxsize=1)
def subject(name):
    return Subject(tiny(catalog.load(name)))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in OWN])
def test_every_method_conforms(name, check):
    CHECKS[check](subject(name))


@pytest.mark.xdist_group("together")
def test_checks_that_share_a_fit_stay_on_one_worker(request):
    if not request.config.getoption("loadgroup", False):
        pytest.skip("the suite runs in one process, or not by groups")
    assert request.node.nodeid.endswith("@together"), "pytest-xdist splits groups: fits are made again on every worker"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", ["docs/methods/{}.md", "tests/methods/test_{}.py"])
def test_every_method_has_a_page_and_tests(family, place):
    path = TESTS.parent / place.format(family)
    assert path.is_file(), f"{path} is missing"
    assert path.read_text("utf-8").strip()


def forget_catalogue():
    for cached in (catalog._modules, catalog._all, catalog._converter):
        cached.cache_clear()


@pytest.fixture
def plug_ins(tmp_path, monkeypatch):
    """An installation that registers two plug-ins, for this process and for those that it starts."""
    info = tmp_path / "plug_ins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-ins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{catalog.GROUP}]\njury = plug_in\nfaulty = faulty\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(TESTS), os.environ.get("PYTHONPATH", "")]))
    forget_catalogue()
    yield
    monkeypatch.undo()
    forget_catalogue()


def test_a_method_made_of_methods_conforms(plug_ins):
    assert {"jury", "jury_fixed", "faulty"} <= set(catalog.names())
    check_method(Jury(members=(PCA(), KNN(k=2))), spec=ImageSpec(3, 16, 12))


def test_a_sound_plug_in_conforms(plug_ins):
    check_method(Faulty(), spec=ImageSpec(1, 12, 12))


@pytest.mark.parametrize("fault", ["has no gradient and says so", "does not export and says so"])
def test_what_cannot_hold_may_be_declared(plug_ins, fault):
    broken = Subject(Faulty(fault), ImageSpec(1, 12, 12))
    CHECKS["exports"](broken)
    CHECKS["has_the_gradient_it_says"](broken)


@pytest.mark.parametrize(
    ("fault", "check", "message"),
    [
        ("ignores known anomalies", "uses_or_refuses_known_anomalies", "raised no InputError"),
        ("does not learn", "learns", "untrained; it must be above"),
        ("is upside down", "learns", r"does not learn: .* AUROC is 0\.0"),
        ("is upside down", "beats_chance_on_real_images", "does not beat chance on real images"),
        ("draws from NumPy", "repeats_with_its_seed", "fitted again with the same seed"),
        ("draws from NumPy", "leaves_the_random_state", "changes the global random state"),
        ("criterion steps", "selects_without_a_trace", "criterion .* changes the learner"),
        ("criterion draws", "selects_without_a_trace", "criterion .* changes the learner or a random state"),
        ("criterion differentiates", "selects_without_a_trace", "criterion .* changes the learner"),
        ("asks for no held-out images", "selects_without_a_trace", "set held_out on its learner"),
        ("forgets", "resumes_exactly", "does not end with the weights"),
        ("hides its optimizer", "resumes_exactly", "does not end with the weights"),
        ("gives a column", "gives_a_number_per_image", r"must give finite \(0,\)"),
        ("gives its own type", "gives_a_number_per_image", r"must give finite \(0,\) of torch.float64"),
        ("compares images", "scores_each_image_alone", "scores differently in batches of 1"),
        ("does not add up", "adds_up", "differently as the weighted sum of its terms"),
        ("draws", "scores_without_a_trace", "changes a global random state"),
        ("is random", "scores_without_a_trace", "changes a global random state"),
        ("changes the images", "scores_without_a_trace", "changes the images|other scores the second time"),
        ("keeps a plain number", "survives_a_file", "other scores once it was written"),
        ("does not export", "exports", "cannot be exported with a dynamic batch"),
        ("has a wrong gradient", "has_the_gradient_it_says", "agrees with differences for"),
        ("has no gradient", "has_the_gradient_it_says", "has no gradient by the image"),
    ],
)
def test_a_broken_promise_is_found(plug_ins, fault, check, message):
    broken = Subject(Faulty(fault), ImageSpec(1, 12, 12))
    with torch.random.fork_rng(devices=[]), pytest.raises(AssertionError, match=message):
        CHECKS[check](broken)


def test_settings_that_json_changes_are_found(plug_ins):
    with pytest.raises(AssertionError, match="came back from JSON as"):
        CHECKS["survives_json"](Subject(Faulty(value=(1, 2))))


def test_settings_that_can_change_are_found(plug_ins):
    with pytest.raises(AssertionError, match="which can change: use a tuple"):
        CHECKS["is_frozen"](Subject(Faulty(value=[1, 2])))


def test_one_seed_is_too_few():
    with pytest.raises(ValueError, match="give at least two"):
        Subject(KNN(), seeds=(3, 3))


def test_the_suite_does_not_import_pytest():
    code = "import sys, amiss.testing; sys.exit('pytest' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0


@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 17, 30)])
def test_easy_anomalies_hold_the_pixels_of_normal_images(spec):
    samples = synthetic(spec, train=10, held_out=5, test=400)
    x = samples.test.take(torch.arange(800).numpy()).double().flatten(1) / 255
    assert samples.train.spec == samples.held_out.spec == samples.test.spec == spec
    for moment in (x.mean(1), x.std(1), (x - 0.5).square().mean(1)):
        normal, anomalous = moment[:400], moment[400:]
        assert abs(normal.mean() - anomalous.mean()) < 0.2 * moment.std()
    assert samples.labels.tolist() == [0] * 400 + [1] * 400


def test_real_images_take_any_shape():
    samples = real(ImageSpec(3, 20, 32), train=10, held_out=5, test=8)
    assert samples.train.spec == samples.test.spec == ImageSpec(3, 20, 32)
    assert (len(samples.train), len(samples.held_out), len(samples.test), sum(samples.labels)) == (10, 5, 16, 8)
