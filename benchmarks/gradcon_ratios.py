"""Speed of GradCon as ratios: scoring against a forward pass and the loop of one image at a time; the training step.

    python benchmarks/gradcon_ratios.py [--rounds 7]

All variants take turns within each round, so that a load on the machine falls on all of them; ratios are of medians.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch import Tensor

from amiss.contracts import ImageSpec
from amiss.engine.descend import descend
from amiss.engine.runtime import keep_workspace, place
from amiss.methods.gradcon import GradCon, GradConLearner
from amiss.objectives.gradients import transposed_layers, upsample
from ratios import Variants, medians, record, repeated, report

SPEC = ImageSpec(1, 28, 28)
MICRO_BATCH = 64


def trained(alpha: float) -> tuple[GradConLearner, Tensor]:
    """A learner after 50 steps on smooth random images."""
    torch.manual_seed(0)
    learner = GradCon(alpha=alpha).learner(SPEC)
    assert isinstance(learner, GradConLearner)
    place(learner, torch.device("cpu"))
    x = torch.nn.functional.interpolate(torch.rand(256, 1, 7, 7), size=28, mode="bilinear")
    for i in range(50):
        learner.step(x[(i % 4) * 64 : (i % 4) * 64 + 64])
    return learner, x


def loop(learner: GradConLearner, x: Tensor) -> list[Tensor]:
    """The authors' scoring: a batch of one, backward over all parameters, cosine for each decoder layer."""
    scores = []
    for image in x:
        learner.ae.zero_grad()
        error = torch.nn.functional.mse_loss(learner.ae(image[None]), image[None])
        error.backward()
        cosines = [
            torch.nn.functional.cosine_similarity(w.grad.flatten(), r.flatten(), dim=0)
            for w, r in zip(learner.direction.weights, learner.direction.mean, strict=True)
        ]
        scores.append(error.detach() - 0.12 * torch.stack(cosines).mean())
    return scores


def forward_only(learner: GradConLearner, x: Tensor) -> Tensor:
    """Reconstruction error with the kernels that the fast score uses."""
    h = learner.ae.encoder(x.contiguous(memory_format=torch.channels_last))
    layers = transposed_layers(learner.ae.decoder)
    for layer in layers[:-1]:
        h = layer(h).relu()
    return learner.error(x, upsample(layers[-1], h).sigmoid())


def scoring_variants() -> Variants:
    """Each with the number of images that it scores."""
    learner, x = trained(alpha=0.03)
    scorer = learner.scorer()

    def fast() -> None:
        with torch.no_grad():
            for part in x.split(MICRO_BATCH):
                scorer(part)

    def forward() -> None:
        with torch.no_grad():
            for part in x.split(MICRO_BATCH):
                forward_only(learner, part)

    return {"gradcon": (fast, len(x)), "forward": (forward, len(x)), "loop": (lambda: loop(learner, x[:32]), 32)}


def training_variants() -> Variants:
    """One step on a batch of 64."""
    constrained, x = trained(alpha=0.03)
    plain, _ = trained(alpha=0.0)
    batch = x[:64].contiguous(memory_format=torch.channels_last)

    def plain_step() -> None:
        descend(torch.nn.functional.mse_loss(plain.ae(batch), batch), plain.adam)

    return {"gradcon": repeated(lambda: constrained.step(batch), 8), "plain": repeated(plain_step, 8)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, help="append the figures as a line of JSON")
    args = parser.parse_args()
    keep_workspace()  # as the library does before it scores or trains; all variants gain by it
    before = os.getloadavg()[0]
    print(f"GradCon at 28x28x1, float32, {args.rounds} interleaved rounds, load before: {before:.2f}")
    torch.set_num_threads(1)
    one = medians(scoring_variants(), args.rounds)
    torch.set_num_threads(2)
    two, step = medians(scoring_variants(), args.rounds), medians(training_variants(), args.rounds)
    found = [
        ("scoring, 1 thread: times the best forward pass", one["gradcon"] / one["forward"], "<=", 2.6),
        ("scoring, 1 thread: times faster than one at a time", one["loop"] / one["gradcon"], ">=", 9.0),
        ("scoring, 2 threads: times faster than one at a time", two["loop"] / two["gradcon"], ">=", 16.0),
        ("training step, 2 threads, batch 64: times the plain step", step["gradcon"] / step["plain"], "<=", 2.1),
    ]
    report(found)
    for threads, t in ((1, one), (2, two)):
        speeds = ", ".join(f"{name} {1 / seconds:,.0f}" for name, seconds in t.items())
        print(f"images per second, {threads} thread(s): {speeds}")
    after = os.getloadavg()[0]
    milliseconds = ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in step.items())
    print(f"milliseconds a step: {milliseconds}; load after: {after:.2f}")
    if args.output:
        record(args.output, found, {"scoring, 1 thread": one, "scoring, 2 threads": two, "training": step}, before)


if __name__ == "__main__":
    main()
