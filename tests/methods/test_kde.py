import math

import numpy as np
import pytest
import torch
from classical import CHECKS, as_rows, digits, fitted, random_images, sets, vary
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.methods.kde import BANDWIDTHS, KDE, SELECTION, choose_bandwidth, log_density


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise(check):
    check(KDE())


def one_leaf(train):
    """scikit-learn's density with a tree of one leaf: with more it is wrong in the tail, by more than 100 % here."""
    return KernelDensity(leaf_size=len(train))


@pytest.mark.parametrize("name", sets())
@pytest.mark.parametrize("bandwidth", [0.05, 0.2, 1.0])
def test_equals_scikit_learn(name, bandwidth):
    _, train, queries = sets()[name]
    kde = one_leaf(train).set_params(bandwidth=bandwidth).fit(as_rows(train))
    scores = fitted(KDE(bandwidth=bandwidth), train)(queries)
    np.testing.assert_allclose(scores, vary(-kde.score_samples(as_rows(queries))), rtol=1e-9)


@pytest.mark.parametrize("name", sets())
@pytest.mark.parametrize("kept", [3, 41, 90])
def test_chooses_the_bandwidth_that_scikit_learn_chooses(name, kept):
    _, train, _ = sets()[name]
    train = train[:kept]
    search = GridSearchCV(one_leaf(train), {"bandwidth": BANDWIDTHS}, cv=3).fit(as_rows(train))
    chosen = fitted(KDE(), train).bandwidth.item()
    assert chosen == search.best_params_["bandwidth"]
    assert min(BANDWIDTHS) < chosen < max(BANDWIDTHS)


def test_bandwidth_follows_the_spread_of_the_images():
    images = random_images(60)
    assert choose_bandwidth(images.flatten(1)) > 2 * choose_bandwidth(images.flatten(1) / 4)


def test_the_choice_looks_at_a_bounded_number_of_images():
    images = random_images(SELECTION + 500, ImageSpec(1, 2, 2)).flatten(1)
    changed = torch.cat([images[:SELECTION], images[SELECTION:] / 50])
    assert choose_bandwidth(changed) == choose_bandwidth(images) == choose_bandwidth(images[:SELECTION])
    assert choose_bandwidth(changed[500:]) != choose_bandwidth(images)


def test_integrates_to_one():
    points = torch.linspace(-8, 9, 20_001, dtype=torch.float64)
    kernels = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    density = log_density((points[:, None] - kernels).square(), 1, torch.tensor(0.7, dtype=torch.float64)).exp()
    assert math.isclose(torch.trapezoid(density, points).item(), 1, rel_tol=1e-9)


def test_ranks_other_digits_higher():
    zeros, others = digits(0), digits(3, 8)
    scores = fitted(KDE(), zeros[:100])(torch.cat([zeros[100:], others]))
    assert roc_auc_score([0] * len(zeros[100:]) + [1] * len(others), scores) > 0.95


def test_too_few_images_to_choose_from():
    with pytest.raises(WorkError, match="was given 2 training images to choose its bandwidth from: give at least 3"):
        fitted(KDE(), random_images(2))
    assert fitted(KDE(bandwidth=0.2), random_images(1))(random_images(2)).shape == (2,)


@pytest.mark.parametrize(
    "options", [{"bandwidth": 0.0}, {"bandwidth": float("nan")}, {"reference": 0}, {"side": 0}], ids=str
)
def test_refuses(options):
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"{name}={value}"):
        KDE(**options).learner(ImageSpec(1, 8, 8))
