"""How exact GradCon's batched per-image gradients are: against autograd, one image at a time, in float64 and float32.

    python benchmarks/gradcon_exactness.py

Float64 must agree to 1e-12 on every image. In float32, 99 % of images must agree to 1e-6: an image with a
pre-activation that rounds to the other side of a ReLU's kink moves further, in any implementation. "Autograd" is
the loop of one image at a time in float32, against the same in float64.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor

from amiss.contracts import ImageSpec
from amiss.data.demo import load_demo
from amiss.methods.gradcon import GradCon, GradConLearner
from amiss.objectives.gradients import gradient_cosines
from amiss.transforms.unit import to_unit

STEPS, TEST = 200, 1000
SPECS = [ImageSpec(1, 28, 28), ImageSpec(3, 28, 28), ImageSpec(3, 32, 32), ImageSpec(1, 64, 64)]


def trained(spec: ImageSpec, variational: bool) -> tuple[GradConLearner, Tensor]:
    """A learner after 200 steps on the bundled photos of clothes, brought to the shape, and the test images."""
    demo = load_demo()
    train, test = (shaped(to_unit(part.take(np.arange(len(part)))), spec) for part in (demo.train, demo.test))
    torch.manual_seed(0)
    learner = GradCon(variational=variational).learner(spec)
    assert isinstance(learner, GradConLearner)
    for i in range(STEPS):
        learner.step(train.roll(-64 * i, 0)[:64])
    return learner.eval(), test[::4] if spec.pixels > 3000 else test


def shaped(x: Tensor, spec: ImageSpec) -> Tensor:
    """Grey images (N, 1, 28, 28) in another size, and tinted where the shape has three channels."""
    x = torch.nn.functional.interpolate(x, size=(spec.height, spec.width), mode="bilinear")
    return x if spec.channels == 1 else x * torch.tensor([1.0, 0.8, 0.6])[:, None, None]


def one_at_a_time(learner: GradConLearner, x: Tensor) -> Tensor:
    """Cosines (N, 4) by autograd on batches of one."""
    rows = []
    for image in x:
        z, _ = learner.ae.encode(image[None])
        error = learner.error(image[None], learner.ae.decoder(z)).sum()
        gradients = torch.autograd.grad(error, learner.direction.weights)
        rows.append(
            [(g * r).sum() / (g.norm() * r.norm()) for g, r in zip(gradients, learner.direction.mean, strict=True)]
        )
    return torch.tensor(rows, dtype=x.dtype)


def batched(learner: GradConLearner, x: Tensor) -> Tensor:
    """Cosines (N, 4) as the scorer takes them."""
    with torch.no_grad():
        z, _ = learner.ae.encode(x)
        cosines = gradient_cosines(learner.ae.decoder, z, x, learner.error, list(learner.direction.mean))[1]
    return torch.stack(cosines, 1)


def main() -> None:
    missed = False
    for variational in (False, True):
        for spec in SPECS:
            learner, x = trained(spec, variational)
            single, loop = batched(learner, x), one_at_a_time(learner, x)
            learner.double()
            exact = one_at_a_time(learner, x.double())
            double, error, own = (
                (cosines.double() - exact).abs().amax(1) for cosines in (batched(learner, x.double()), single, loop)
            )
            share, of_loop = ((e < 1e-6).double().mean().item() for e in (error, own))
            met = double.max() <= 1e-12 and share >= 0.99
            missed |= not met
            name = f"{'VAE' if variational else 'CAE'} {spec.channels}x{spec.height}x{spec.width}"
            print(
                f"{name:<12} float64: worst of {len(x)} {double.max():.1e} (goal 1e-12). float32: {share:.1%} "
                f"below 1e-6 (goal 99 %), max {error.max():.1e}; autograd {of_loop:.1%}  {'met' if met else 'MISSED'}",
                flush=True,
            )
    if missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
