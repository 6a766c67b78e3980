"""Names, families, and settings that become JSON and come back."""

import dataclasses
import json
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

import plug_in
from amiss import catalog
from amiss.contracts import InputError, Method
from amiss.methods.gradcon import GradCon
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from plug_in import Fixed, Jury, Spread


def forget():
    for cached in (catalog._modules, catalog._all, catalog._converter):
        cached.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def jury():
    """The catalogue with a plug-in, as an entry point would bring it."""
    forget()
    own = catalog._modules()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_modules", lambda: {**own, "jury": plug_in.__name__})
        catalog._all.cache_clear()
        yield
    forget()


def test_names_are_sorted_and_hold_methods_presets_and_plug_ins():
    names = catalog.names()
    assert list(names) == sorted(names)
    assert {"gradcon", "cae", "knn", "pca", "ocsvm", "kde", "jury", "jury_fixed"} <= set(names)


def test_loading_gives_the_settings_of_the_name():
    assert catalog.load("gradcon") == GradCon()
    assert catalog.load("cae") == GradCon(alpha=0.0)
    assert catalog.load("jury_fixed") == Jury(unit=Fixed(2.0))


@pytest.mark.parametrize(
    ("wrong", "near"), [("gradconn", "gradcon"), ("Knn", "knn"), ("jurry", "jury"), ("ocvsm", "ocsvm")]
)
def test_an_unknown_name_names_the_nearest(wrong, near):
    with pytest.raises(InputError, match=rf"unknown method '{wrong}': did you mean .*\b{near}\b"):
        catalog.load(wrong)


def test_a_name_like_no_other_names_all():
    with pytest.raises(
        InputError, match=r"unknown method 'xyzzy': choose from ama, arae, averaged, council, .*, typical, or a variant"
    ):
        catalog.load("xyzzy")


@pytest.mark.parametrize(
    ("method", "family", "name"),
    [
        (GradCon(), "gradcon", "gradcon"),
        (GradCon(alpha=0.0), "gradcon", "cae"),
        (GradCon(epochs=3), "gradcon", "gradcon"),
        (KNN(k=9), "knn", "knn"),
        (Jury(), "jury", "jury"),
        (Jury(unit=Fixed(2.0)), "jury", "jury_fixed"),
    ],
)
def test_families_and_names(method, family, name):
    assert catalog.family(method) == family
    assert catalog.name_of(method) == name


@dataclasses.dataclass(frozen=True)
class Stranger(Method):
    def learner(self, spec, known=None):
        raise NotImplementedError


def test_a_method_outside_the_catalogue_says_how_to_get_in():
    with pytest.raises(InputError, match=r"Stranger is not in the catalogue: register its module .* amiss\.methods"):
        catalog.family(Stranger())
    with pytest.raises(InputError, match="Stranger is not in the catalogue"):
        catalog.to_settings(Jury(members=(Stranger(),)))


@pytest.mark.parametrize("kinds", [0, 2])
def test_a_module_defines_exactly_one_method(kinds):
    module = types.ModuleType("some_module")
    for i in range(kinds):
        setattr(module, f"M{i}", type(f"M{i}", (Method,), {"__module__": "some_module"}))
    module.GradCon = GradCon  # imported, not defined
    with pytest.raises(InputError, match=rf"some_module defines {kinds} methods: a method module defines exactly one"):
        catalog._class(module)


def test_the_summary_is_the_first_line():
    assert catalog.summary(GradCon()).startswith("GradCon: an autoencoder")
    assert "\n" not in catalog.summary(KNN())


def through_json(method):
    return catalog.from_settings(json.loads(json.dumps(catalog.to_settings(method), allow_nan=False)))


@pytest.mark.parametrize("name", catalog.names())
def test_every_method_survives_json(name):
    method = catalog.load(name)
    assert through_json(method) == method
    assert type(through_json(method)) is type(method)


finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0, 1e6)
leaves = st.one_of(
    st.builds(KNN, k=st.integers(1, 50)),
    st.builds(PCA, components=st.floats(0.01, 0.99)),
    st.builds(GradCon, alpha=positive, beta=st.none() | positive, variational=st.booleans()),
)
juries = st.recursive(
    leaves,
    lambda inner: st.builds(
        Jury,
        members=st.lists(inner, max_size=3).map(tuple),
        unit=st.builds(Spread, finite) | st.builds(Fixed, finite),
        limit=st.none() | finite,
        names=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    ),
    max_leaves=6,
)


@given(juries)
def test_nested_settings_survive_json(method):
    back = through_json(method)
    assert back == method
    assert repr(back) == repr(method)  # types too: 1 == 1.0 == True
    assert catalog.to_settings(back) == catalog.to_settings(method)


def test_settings_name_their_method_and_their_parts():
    settings = catalog.to_settings(Jury(members=(KNN(k=2),), unit=Fixed(3.0)))
    assert settings["method"] == "jury"
    assert settings["members"][0]["method"] == "knn"
    assert settings["members"][0]["k"] == 2
    assert settings["unit"] == {"type": "Fixed", "unit": 3.0}


def test_fields_that_are_left_out_take_their_defaults():
    assert catalog.from_settings({"method": "gradcon", "alpha": 0.5}) == GradCon(alpha=0.5)
    assert catalog.from_settings({"method": "gradcon", "alpha": 1}) == GradCon(alpha=1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "with its name under 'method'"),
        ({"method": 3}, "with its name under 'method'"),
        ({"method": "gradconn"}, "unknown method 'gradconn': did you mean gradcon"),
        ({"method": "gradcon", "alpa": 0.1}, "alpa"),
        ({"method": "gradcon", "alpha": "0.1"}, r"alpha|expected float, got '0.1'"),
        ({"method": "gradcon", "epochs": 1.0}, r"expected int, got 1.0"),
        ({"method": "gradcon", "epochs": True}, r"expected int, got True"),
        ({"method": "gradcon", "variational": 1}, r"expected bool, got 1"),
        ({"method": "knn", "k": 0}, "k=0"),
        ({"method": "jury", "members": [{"method": "knnn"}]}, "unknown method 'knnn'"),
        ({"method": "jury", "members": [3]}, "with its name under 'method'"),
        ({"method": "jury", "unit": {"type": "Other"}}, "'type' is one of Spread, Fixed"),
        ({"method": "jury", "unit": {"type": "Fixed", "unit": "1"}}, "expected float, got '1'"),
        ({"method": "jury", "unit": {"type": "Fixed", "size": 1.0}}, "size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        catalog.from_settings(settings)
    assert "\n" not in str(caught.value)
