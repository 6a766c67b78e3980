import numpy as np
import pytest
import torch
from classical import CHECKS, as_rows, digits, fitted, random_images, sets, vary
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.methods.knn import KNN, kth_distance


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_promise(check):
    check(KNN())


@pytest.mark.parametrize("name", sets())
@pytest.mark.parametrize("k", [1, 5, 90])
def test_equals_scikit_learn(name, k):
    _, train, queries = sets()[name]
    distances, _ = NearestNeighbors(n_neighbors=k).fit(as_rows(train)).kneighbors(as_rows(queries))
    np.testing.assert_allclose(fitted(KNN(k=k), train)(queries), vary(distances[:, -1]), rtol=1e-9)


def test_is_the_kth_of_all_distances():
    x, reference = (random_images(n, seed=n, dtype=torch.float64).flatten(1) for n in (6, 15))
    for k in (1, 4, 15):
        slow = [sorted((row - r).square().sum().sqrt().item() for r in reference)[k - 1] for row in x]
        np.testing.assert_allclose(kth_distance(x, reference, k), vary(slow), rtol=1e-12)


def test_a_kept_image_is_its_own_nearest_neighbour():
    train = digits(0)[:60]
    assert torch.equal(fitted(KNN(k=1), train)(train), torch.zeros(60))
    distances, _ = NearestNeighbors(n_neighbors=2).fit(as_rows(train)).kneighbors()
    np.testing.assert_allclose(fitted(KNN(k=2), train)(train.double()), vary(distances[:, 0]), rtol=1e-9)


def test_ranks_other_digits_higher():
    zeros, others = digits(0), digits(3, 8)
    scores = fitted(KNN(), zeros[:100])(torch.cat([zeros[100:], others]))
    assert roc_auc_score([0] * len(zeros[100:]) + [1] * len(others), scores) > 0.95


def test_fewer_images_than_k():
    with pytest.raises(WorkError, match=r"k=5 was given 4 training images: give at least 5"):
        fitted(KNN(), random_images(4))
    assert fitted(KNN(), random_images(5))(random_images(2)).shape == (2,)


@pytest.mark.parametrize(
    ("options", "named"), [({"k": 0}, "k=0"), ({"side": 0}, "side=0"), ({"k": 8, "reference": 7}, "reference=7.* k=8")]
)
def test_refuses(options, named):
    with pytest.raises(InputError, match=named):
        KNN(**options).learner(ImageSpec(1, 8, 8))
