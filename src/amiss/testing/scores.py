"""Checks of a scorer: a pure function of each image, in memory, in a file, exported and differentiated."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn

from amiss import catalog
from amiss.artifact.file import Artifact, from_bytes, to_bytes
from amiss.contracts import Scorer
from amiss.data.images import Layout
from amiss.testing.fits import scores
from amiss.testing.subject import Subject, random_states, require

EXACT = 1e-9
"""Most that two float64 scores may differ, as a share of the score or of the scores' spread, whichever is larger."""
CLOSE, QUANTILE = 1e-5, 0.99
"""Most that two float32 scores may differ, as a share of the scores' spread, for this share of the images.

One activation that rounds to the other side of zero moves a single image further.
"""
STEP, SLOPE, SMOOTH = 1e-6, 1e-4, 0.9
"""Half the way of a central difference; its error, as a share of a slope's usual size; for what share of the images."""


def gives_a_number_per_image(subject: Subject) -> None:
    """None, one or many images give finite scores (B,) in the images' type, which vary."""
    for n in (0, 1, len(subject.images)):
        for x in (subject.images[:n], subject.images[:n].double()):
            found = scores(_in(subject.fitted, x.dtype), x)
            require(
                found.shape == (n,) and found.dtype == x.dtype and bool(found.isfinite().all()),
                f"{subject.name} scores {n} images of {x.dtype} by {tuple(found.shape)} of {found.dtype}, finite: "
                f"{bool(found.isfinite().all())}; it must give finite ({n},) of {x.dtype}",
            )
    _require_spread(subject, found)


def scores_each_image_alone(subject: Subject) -> None:
    """An image has the same score alone, in any batch and in any order."""
    for dtype in (torch.float64, torch.float32):
        scorer, x = _in(subject.fitted, dtype), subject.images.to(dtype)
        together = scores(scorer, x)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        _require_close(subject, "in another order", scores(scorer, x[order]), together[order])
        for size in (1, 7):
            apart = torch.cat([scores(scorer, part) for part in torch.split(x, size)])
            _require_close(subject, f"in batches of {size}", apart, together)


def adds_up(subject: Subject) -> None:
    """The score is the weighted sum of its terms, each (B,) and finite."""
    for dtype in (torch.float64, torch.float32):
        scorer, x = _in(subject.fitted, dtype), subject.images.to(dtype)
        with torch.no_grad():
            terms = scorer.terms(x)
        for name, term in terms.items():
            require(
                term.shape == (len(x),) and bool(term.isfinite().all()),
                f"the term {name!r} of {subject.name} is {tuple(term.shape)}: it must be finite and ({len(x)},)",
            )
        missing = sorted(set(scorer.weights) - set(terms))
        require(not missing, f"{subject.name} gives weights to the terms {missing}, which it does not have")
        total = torch.stack([weight * terms[name] for name, weight in scorer.weights.items()]).sum(0)
        _require_close(subject, "as the weighted sum of its terms", total, scores(scorer, x))


def scores_without_a_trace(subject: Subject) -> None:
    """Scoring changes no weight, buffer, gradient, image, mode or random state, with gradients enabled or not."""
    scorer, x = subject.fitted, subject.images.clone()
    before, modes = _tensors(scorer), _modes(scorer)
    for enabled in (False, True):
        with torch.set_grad_enabled(enabled):
            states = random_states()
            found = [scorer(x), *scorer.terms(x).values()]
            require(torch.is_grad_enabled() == enabled, f"scoring with {subject.name} switches gradients on or off")
            require(random_states() == states, f"scoring with {subject.name} changes a global random state")
            again = [scorer(x), *scorer.terms(x).values()]
        require(
            all(torch.equal(a, b) for a, b in zip(found, again, strict=True)),
            f"{subject.name} gives the same images other scores the second time",
        )
    require(torch.equal(x, subject.images), f"scoring with {subject.name} changes the images that it is given")
    require(_equal(before, _tensors(scorer)), f"scoring with {subject.name} changes its weights or buffers")
    require(_modes(scorer) == modes, f"scoring with {subject.name} changes a mode of its modules")
    require(
        all(p.grad is None for p in scorer.parameters()), f"scoring with {subject.name} leaves gradients on its weights"
    )


def survives_a_file(subject: Subject) -> None:
    """Written to the bytes of a model file and read again, scores and settings are the same, bit by bit."""
    calibration = scores(subject.fitted, subject.images).double().numpy()
    layout = Layout(subject.spec, "uint8")
    data = to_bytes(Artifact(subject.method, layout, subject.fitted, calibration, 0.05, None, subject.seeds[0]))
    with torch.random.fork_rng(devices=[]):
        back = from_bytes(data)
    require(
        back.method == subject.method and catalog.to_settings(back.method) == catalog.to_settings(subject.method),
        f"{subject.name} came back from its file as {back.method!r}",
    )
    require(
        torch.equal(scores(back.scorer, subject.images), scores(subject.fitted, subject.images)),
        f"{subject.name} gives other scores once it was written to a file and read: "
        f"keep everything that scoring needs in parameters and buffers",
    )
    require(
        np.array_equal(back.calibration_scores, calibration),
        f"the calibration scores of {subject.name} came back changed from its file",
    )


def exports(subject: Subject) -> None:
    """torch.export traces the scorer with a batch of any size, and the trace gives its scores."""
    if not subject.fitted.exportable:
        return
    for dtype in (torch.float64, torch.float32):
        scorer, x = _in(subject.fitted, dtype), subject.images.to(dtype)
        try:
            program = torch.export.export(scorer, (x[:4],), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
        except Exception as error:
            raise AssertionError(
                f"{subject.name} cannot be exported with a dynamic batch: {type(error).__name__}: {error}; rewrite its "
                f"scorer, or set exportable = False on it and say so in its documentation"
            ) from error
        for n in (1, 5, 33, len(x)):
            with torch.no_grad():
                found = program(x[-n:])
            _require_close(subject, f"exported, in a batch of {n}", found, scores(scorer, x)[-n:], scores(scorer, x))


def has_the_gradient_it_says(subject: Subject) -> None:
    """The score's gradient by the image is that of central differences along random directions, in float64."""
    scorer = _in(subject.fitted, torch.float64)
    if not scorer.differentiable:
        return
    every = max(1, len(subject.images) // 32)
    x = subject.images[::every].double().clamp(0.01, 0.99).requires_grad_()  # room for the steps
    with torch.enable_grad():
        total = scorer(x).sum()
        require(total.requires_grad, f"the score of {subject.name} has no gradient by the image: set differentiable")
        (gradient,) = torch.autograd.grad(total, x)
    norm = gradient.flatten(1).norm(dim=1)
    require(
        bool(gradient.isfinite().all()) and bool((norm > 0).any()),
        f"the gradient of the score of {subject.name} by the image is zero or not finite",
    )
    direction = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    direction = direction / direction.flatten(1).norm(dim=1)[:, None, None, None]
    start = x.detach()
    rise = (scores(scorer, start + STEP * direction) - scores(scorer, start - STEP * direction)) / (2 * STEP)
    slope = (gradient * direction).flatten(1).sum(1)
    smooth = ((rise - slope).abs() <= SLOPE * norm / math.sqrt(subject.spec.pixels)).double().mean().item()
    require(
        smooth >= SMOOTH,
        f"the gradient of the score of {subject.name} by the image agrees with differences for {smooth:.0%} of images "
        f"only: correct it, or set differentiable = False and say so in the documentation",
    )


def _in(scorer: Scorer, dtype: torch.dtype) -> Scorer:
    return copy.deepcopy(scorer).to(dtype) if dtype == torch.float64 else scorer


def _require_spread(subject: Subject, found: Tensor) -> float:
    spread = (found.max() - found.min()).item()
    require(spread > 0, f"{subject.name} gives every image the same score, {found[0].item():.6g}")
    return spread


def _require_close(subject: Subject, how: str, found: Tensor, wanted: Tensor, others: Tensor | None = None) -> None:
    """Require equal scores within the tolerance of their type; `others`: scores that tell the spread, if not these."""
    spread = _require_spread(subject, wanted if others is None else others)
    error = (found - wanted).abs()
    if wanted.dtype == torch.float64:
        worst = (error / wanted.abs().clamp_min(spread)).max().item()
        require(
            worst <= EXACT,
            f"{subject.name} scores differently {how}: by {worst:.2g} of the score in float64; at most {EXACT:g}",
        )
        return
    # a single image may lie at a kink, which is more than one per cent of a small batch
    beyond = int((error > CLOSE * spread).sum())
    require(
        beyond <= max(1, math.floor((1 - QUANTILE) * len(wanted))),
        f"{subject.name} scores differently {how}: {beyond} of {len(wanted)} images differ by more than {CLOSE:g} of "
        f"the scores' spread",
    )


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a)


def _modes(module: nn.Module) -> list[bool]:
    return [m.training for m in module.modules()] + [p.requires_grad for p in module.parameters()]
