import numpy as np
import pytest
import torch
from classical import CHECKS, as_rows, digits, fitted, random_images, sets, vary
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from amiss.contracts import ImageSpec, InputError
from amiss.methods.ocsvm import OCSVM


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise(check):
    check(OCSVM())


@pytest.mark.parametrize("name", sets())
@pytest.mark.parametrize("options", [{}, {"nu": 0.5}, {"gamma": 0.02}, {"nu": 0.01, "gamma": 0.3}], ids=str)
def test_equals_scikit_learn(name, options):
    _, train, queries = sets()[name]
    svm = OneClassSVM(**{"nu": 0.1, "gamma": "scale", **options}).fit(as_rows(train))
    scorer = fitted(OCSVM(**options), train)
    assert len(scorer.vectors) == len(svm.support_)
    np.testing.assert_allclose(scorer(queries), vary(-svm.decision_function(as_rows(queries))), rtol=1e-9)


def test_is_the_kernel_expansion():
    train, queries = random_images(40), random_images(6, seed=1, dtype=torch.float64)
    scorer = fitted(OCSVM(gamma=0.4), train)
    slow = []
    for x in queries.flatten(1):
        kernels = [np.exp(-0.4 * (x - v).square().sum().item()) for v in scorer.vectors.double()]
        slow.append(-np.dot(kernels, scorer.dual.numpy()) - scorer.intercept.item())
    np.testing.assert_allclose(scorer(queries), vary(slow), rtol=1e-9)


@pytest.mark.parametrize("nu", [0.1, 0.4])
def test_nu_bounds_the_share_outside_from_above_and_of_support_vectors_from_below(nu):
    train = digits(0)
    scorer = fitted(OCSVM(nu=nu), train)
    slack = 1e-3 * scorer.dual.sum().item()  # the solver stops at this tolerance
    outside = (scorer(train.double()) > slack).double().mean().item()
    assert nu / 4 < outside <= nu <= len(scorer.vectors) / len(train)


def test_images_without_variance():
    same = torch.full((10, 1, 4, 4), 0.5)
    scorer = fitted(OCSVM(), same)
    assert scorer.gamma == OneClassSVM(gamma="scale").fit(np.ones((3, 2)))._gamma == 1.0
    assert scorer(random_images(1, ImageSpec(1, 4, 4))) > scorer(same[:1])


def test_ranks_other_digits_higher():
    zeros, others = digits(0), digits(3, 8)
    scores = fitted(OCSVM(), zeros[:100])(torch.cat([zeros[100:], others]))
    assert roc_auc_score([0] * len(zeros[100:]) + [1] * len(others), scores) > 0.95


@pytest.mark.parametrize(
    "options", [{"nu": 0.0}, {"nu": 1.1}, {"nu": float("nan")}, {"gamma": 0.0}, {"reference": 0}, {"side": 0}], ids=str
)
def test_refuses(options):
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"{name}={value}"):
        OCSVM(**options).learner(ImageSpec(1, 8, 8))
