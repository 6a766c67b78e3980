"""What the classical methods promise alike, as checks that each of their test files runs."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from amiss.contracts import ImageSpec, InputError
from amiss.engine.state import install

COLOUR = ImageSpec(3, 6, 5)
GREY = ImageSpec(1, 8, 8)


def random_images(n, spec=COLOUR, seed=0, dtype=torch.float32):
    shape = (n, spec.channels, spec.height, spec.width)
    return torch.from_numpy(np.random.default_rng(seed).random(shape)).to(dtype)


def digits(*classes):
    """Real handwritten digits (N, 1, 8, 8) of the given classes, float32 in [0, 1]."""
    found = load_digits()
    return torch.from_numpy(found.images[np.isin(found.target, classes)] / 16).float()[:, None]


def sets():
    """Name to (spec, training images, queries that are not among them)."""
    zeros = digits(0)
    return {
        "random": (COLOUR, random_images(90), random_images(40, seed=1, dtype=torch.float64)),
        "digits": (GREY, zeros[:120], torch.cat([zeros[120:], digits(1, 7)[:60]]).double()),
    }


def as_rows(images):
    return images.double().flatten(1).numpy()


def collect(learner, images, batch=16):
    """What the engine does, without its order and its checkpoints."""
    for phase in learner.phases():
        for _ in range(phase.epochs):
            for x in images.split(batch):
                assert phase.step(x) == {}
            phase.after_epoch()
    return learner


def fitted(method, images, batch=16):
    shape = images.shape[1:]
    return collect(method.learner(ImageSpec(*shape)), images, batch).scorer().eval()


def vary(scores):
    """The scores, after a look that a comparison of them means something."""
    scores = np.asarray(scores)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 1e-3 * np.abs(scores).max()
    return scores


def refuses_known_anomalies(method):
    with pytest.raises(InputError, match="normal images only"):
        method.learner(COLOUR, known=random_images(2))


def refuses_to_score_before_the_fit(method):
    scorer = method.learner(COLOUR).scorer()
    assert 0 in [len(b) for b in scorer.buffers() if b.dim()]
    with pytest.raises(RuntimeError, match="is not fitted"):
        scorer(random_images(2))


def keeps_the_first_images_up_to_the_limit(method):
    images, queries = random_images(60), random_images(20, seed=1)
    limited = fitted(dataclasses.replace(method, reference=23), images)(queries)
    assert torch.equal(limited, fitted(method, images[:23])(queries))
    assert not torch.allclose(limited, fitted(method, images)(queries))


def remembers_in_its_state(method):
    images, queries = random_images(60), random_images(20, seed=1)
    half = method.learner(COLOUR)
    for x in images[:32].split(16):
        next(iter(half.phases())).step(x)
    resumed = method.learner(COLOUR)
    install(resumed, half.state_dict())
    scores = collect(resumed, images[32:]).scorer()(queries)
    assert torch.equal(scores, fitted(method, images)(queries))
    assert not torch.allclose(scores, fitted(method, images[32:])(queries))


def loads_from_its_buffers(method):
    images, queries = random_images(60), random_images(20, seed=1)
    scorer = fitted(method, images)
    loaded = method.learner(COLOUR).scorer()
    install(loaded, scorer.state_dict())
    assert torch.equal(loaded(queries), scorer(queries))


def forgets_what_scoring_does_not_need(method):
    learner = collect(method.learner(COLOUR), random_images(60))
    assert len(learner.memory.store) == 0
    assert not [name for name in learner.scorer().state_dict() if "memory" in name]


def scores_each_image_by_itself(method):
    scorer = fitted(method, random_images(60))
    queries = torch.cat([random_images(30, seed=1, dtype=torch.float64), random_images(60)[:3].double()])
    scores = vary(scorer(queries))
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(scorer(queries[order]), scores[order], rtol=1e-9)
    np.testing.assert_allclose(torch.cat([scorer(x) for x in queries.split(1)]), scores, rtol=1e-9)
    np.testing.assert_allclose(torch.cat([scorer(x) for x in queries.split(7)]), scores, rtol=1e-9)
    assert scorer(queries[:0]).shape == (0,)


def answers_in_the_type_it_was_asked_in(method):
    scorer = fitted(method, random_images(60))
    queries = random_images(30, seed=1)
    narrow, wide = scorer(queries), scorer(queries.double())
    assert (narrow.dtype, wide.dtype) == (torch.float32, torch.float64)
    np.testing.assert_allclose(narrow, vary(wide), rtol=1e-6)
    assert torch.equal(scorer.terms(queries)["score"], narrow)


def works_where_there_is_no_float64(method):
    scorer = fitted(method, random_images(60))
    queries = random_images(30, seed=1)
    scores = vary(scorer(queries))
    np.testing.assert_allclose(scorer.float()(queries), scores, atol=1e-5 * np.ptp(scores), rtol=0)


def exports_with_a_dynamic_batch(method):
    scorer = fitted(method, random_images(60))
    assert scorer.exportable
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(scorer, (random_images(4, seed=2),), dynamic_shapes=(batch,)).module()
    for n in (1, 5, 33):
        queries = random_images(n, seed=3)
        np.testing.assert_allclose(program(queries), scorer(queries), rtol=1e-6)
    vary(scorer(queries))


def has_the_gradient_it_says(method):
    scorer = fitted(method, random_images(60))
    assert scorer.differentiable
    x = random_images(2, seed=4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(scorer, x)
    assert torch.autograd.grad(scorer(x).sum(), x)[0].abs().max() > 1e-6


def averages_longer_sides(method):
    images, queries = random_images(60, ImageSpec(1, 12, 9)), random_images(20, ImageSpec(1, 12, 9), seed=1)
    for side, small in ((3, (3, 3)), (5, (5, 5)), (10, (10, 9))):
        scorer = fitted(dataclasses.replace(method, side=side), images)
        by_hand = fitted(method, F.adaptive_avg_pool2d(images, small))(F.adaptive_avg_pool2d(queries, small))
        np.testing.assert_allclose(scorer(queries), vary(by_hand), rtol=1e-5)
        assert max(b.shape[-1] for b in scorer.buffers() if b.dim() == 2) == small[0] * small[1]


CHECKS = [
    refuses_known_anomalies,
    refuses_to_score_before_the_fit,
    keeps_the_first_images_up_to_the_limit,
    remembers_in_its_state,
    loads_from_its_buffers,
    forgets_what_scoring_does_not_need,
    scores_each_image_by_itself,
    answers_in_the_type_it_was_asked_in,
    works_where_there_is_no_float64,
    exports_with_a_dynamic_batch,
    has_the_gradient_it_says,
    averages_longer_sides,
]
