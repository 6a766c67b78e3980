import numpy as np
import pytest
import torch
from classical import CHECKS, as_rows, digits, fitted, random_images, sets, vary
from sklearn import decomposition
from sklearn.metrics import roc_auc_score

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.methods.pca import PCA, residual


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise(check):
    check(PCA(components=0.8))


@pytest.mark.parametrize("name", sets())
@pytest.mark.parametrize("components", [0.5, 0.95, 1, 7])
@pytest.mark.parametrize("kept", [40, 90])  # fewer and more images than the smaller side of the decomposition
def test_equals_scikit_learn(name, components, kept):
    _, train, queries = sets()[name]
    train = train[:kept]
    pca = decomposition.PCA(components, svd_solver="full").fit(as_rows(train))
    x = as_rows(queries)
    errors = np.square(x - pca.inverse_transform(pca.transform(x))).mean(1)
    scorer = fitted(PCA(components=components), train)
    assert len(scorer.components) == pca.n_components_
    np.testing.assert_allclose(scorer(queries), vary(errors), rtol=1e-9)


def test_images_of_the_subspace_score_zero_and_others_their_distance_from_it():
    basis, _ = torch.linalg.qr(random_images(12, ImageSpec(1, 4, 5), dtype=torch.float64).flatten(1).T)
    components, outward = basis[:, :11].T, basis[:, 11]
    mean = random_images(1, ImageSpec(1, 4, 5), seed=1, dtype=torch.float64).flatten()
    inside = mean + torch.linspace(-1, 1, 33, dtype=torch.float64).reshape(3, 11) @ components
    assert residual(inside, mean, components).max() < 1e-28
    steps = torch.tensor([0.5, 1.0, -2.0], dtype=torch.float64)
    moved = residual(inside + steps[:, None] * outward, mean, components)
    np.testing.assert_allclose(moved, steps.square() / 20, rtol=1e-9)


def test_more_components_leave_less_error():
    train, queries = digits(0)[:120], digits(1)
    errors = [fitted(PCA(components=k), train)(queries).mean().item() for k in (1, 4, 16)]
    assert errors[0] > 1.1 * errors[1] > 1.2 * errors[2]


def test_ranks_other_digits_higher():
    zeros, others = digits(0), digits(3, 8)
    scores = fitted(PCA(), zeros[:100])(torch.cat([zeros[100:], others]))
    assert roc_auc_score([0] * len(zeros[100:]) + [1] * len(others), scores) > 0.95


def test_too_few_images():
    with pytest.raises(WorkError, match=r"components=9 was given 8 training images: give at least 9"):
        fitted(PCA(components=9), random_images(8))
    with pytest.raises(WorkError, match=r"was given 1 training images: give at least 2"):
        fitted(PCA(), random_images(1))


def test_images_that_are_all_the_same():
    with pytest.raises(WorkError, match="all the same"):
        fitted(PCA(), random_images(1).expand(10, -1, -1, -1))


@pytest.mark.parametrize(
    "options",
    [{"components": v} for v in (0.0, -1, 1.5, float("nan"), float("inf"), 65)] + [{"reference": 1}, {"side": 0}],
)
def test_refuses(options):
    (name, value), *_ = options.items()
    with pytest.raises(InputError, match=f"{name}={value}"):
        PCA(**options).learner(ImageSpec(1, 8, 8))
