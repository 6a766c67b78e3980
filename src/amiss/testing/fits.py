"""Checks of fitting: that it learns, depends on its seed alone, and leaves nothing behind."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from amiss.contracts import Learner, Scorer, WorkError
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images
from amiss.engine.state import capture
from amiss.evaluation.metrics import auroc
from amiss.testing.samples import Samples, real
from amiss.testing.subject import REAL_EPOCHS, Subject, random_states, require

GOOD = 0.8
CHANCE = 0.5
GAIN = 0.1


def learns(subject: Subject) -> None:
    """On the easy set: AUROC above 0.8, and at least 0.1 above the same method untrained."""
    reached = _auroc(subject.fitted, subject.samples)
    untrained = fit(
        subject.method,
        subject.spec,
        subject.samples.train,
        subject.samples.held_out,
        runtime=Runtime("cpu", seed=subject.seeds[0]),
        max_epochs=0,
        known=subject.known(subject.samples),
    )
    try:
        start = _auroc(untrained.scorer, subject.samples)
    except WorkError:  # not fitted: it knows nothing
        start = CHANCE
    require(
        reached > GOOD and reached >= start + GAIN,
        f"{subject.name} does not learn: on the easy set its AUROC is {reached:.3f} after {subject.max_epochs} epochs "
        f"and {start:.3f} untrained; it must be above {GOOD}, and {GAIN} above the untrained one",
    )


def beats_chance_on_real_images(subject: Subject) -> None:
    """On the bundled images: AUROC above 0.5 with every seed, after a few epochs."""
    samples = real(subject.spec)
    for seed in subject.seeds:

        def fitted(check: bool, seed: int = seed) -> Scorer:
            return fit(
                subject.method,
                subject.spec,
                samples.train,
                samples.held_out,
                runtime=Runtime("cpu", seed=seed),
                max_epochs=REAL_EPOCHS,
                check=check,
                known=subject.known(samples),
            ).scorer

        try:
            scorer = fitted(check=True)
        except WorkError:  # so few epochs may leave a code that has not spread yet; the longer fit must pass the checks
            scorer = fitted(check=False)
        reached = _auroc(scorer, samples)
        require(
            reached > CHANCE,
            f"{subject.name} does not beat chance on real images: its AUROC is {reached:.3f} with seed {seed}",
        )


def repeats_with_its_seed(subject: Subject) -> None:
    """The same seed gives the same scores bit by bit; another seed gives others, if there are weights to train."""
    scorer, learner = subject.briefly_fitted
    again, _ = subject.repeated
    require(
        torch.equal(scores(scorer, subject.images), scores(again, subject.images)),
        f"{subject.name} gives other scores when it is fitted again with the same seed: draw from torch's generators, "
        f"whose seed the engine sets",
    )
    if any(p.requires_grad for p in learner.parameters()):
        other = subject.brief(subject.seeds[1]).scorer
        require(
            not torch.equal(scores(scorer, subject.images), scores(other, subject.images)),
            f"{subject.name} gives the same scores with seeds {subject.seeds[0]} and {subject.seeds[1]}",
        )


def leaves_the_random_state(subject: Subject) -> None:
    """A fit leaves the global random states of torch, NumPy and Python as they were."""
    _, undisturbed = subject.repeated
    require(undisturbed, f"fitting {subject.name} changes the global random state of torch, NumPy or Python")


def selects_without_a_trace(subject: Subject) -> None:
    """`criterion` and `vitals` change nothing; who has a criterion, a finite scalar, asks for held-out images."""
    _, learner = subject.briefly_fitted
    learner.eval()
    x = subject.images[: len(subject.images) // 2]
    before = _memory(learner)
    value = learner.criterion(x)
    require(_same(before, _memory(learner)), f"the criterion of {subject.name} changes the learner or a random state")
    with torch.no_grad():
        learner.vitals(x)
    require(_same(before, _memory(learner)), f"the vitals of {subject.name} changes the learner or a random state")
    if value is None:
        return
    require(
        value.dim() == 0 and bool(value.isfinite()),
        f"the criterion of {subject.name} is {value}: it must be a finite scalar",
    )
    require(
        learner.held_out, f"{subject.name} has a criterion and would get no images for it: set held_out on its learner"
    )


def scores(scorer: Scorer, x: Tensor) -> Tensor:
    """Scores (B,) of images (B, C, H, W), without gradients."""
    with torch.no_grad():
        return scorer(x)


def _auroc(scorer: Scorer, samples: Samples) -> float:
    return auroc(score_images(scorer, samples.test), samples.labels)


def _memory(learner: Learner) -> list[object]:
    """Everything that the learner remembers, its gradients, modes, and the random states."""
    gradients = [None if p.grad is None else p.grad.clone() for p in learner.parameters()]
    modes = [module.training for module in learner.modules()]
    return [
        copy.deepcopy(capture(learner)),
        gradients,
        modes,
        [p.requires_grad for p in learner.parameters()],
        random_states(),
    ]


def _same(a: object, b: object) -> bool:
    """Whether nested values are equal, tensors bit by bit."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
