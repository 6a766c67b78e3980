"""Speed of GradCon as ratios: scoring against a forward pass and the loop of one image at a time; the training step.

    python benchmarks/gradcon_ratios.py [--rounds 7]

All variants take turns within each round, so that a load on the machine falls on all of them; ratios are of medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from amiss.contracts import ImageSpec
from amiss.engine.descend import descend
from amiss.engine.runtime import place
from amiss.methods.gradcon import GradCon, GradConLearner
from amiss.objectives.gradients import transposed_layers, upsample

SPEC = ImageSpec(1, 28, 28)
MICRO_BATCH = 64
Variants = dict[str, tuple[Callable[[], object], int]]


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
            for w, r in zip(learner.weights, learner.reference, strict=True)
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

    def steps(step: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(8):
                step()

        return run

    return {"gradcon": (steps(lambda: constrained.step(batch)), 8), "plain": (steps(plain_step), 8)}


def medians(variants: Variants, rounds: int) -> dict[str, float]:
    """Median seconds per item of each variant over interleaved rounds, after a warm-up."""
    for run, _ in variants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, (run, items) in variants.items():
            started = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - started) / items)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(what: str, ratio: float, goal: str, met: bool) -> None:
    print(f"{what:<58} {ratio:6.2f}   goal {goal:<9} {'met' if met else 'MISSED'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"GradCon at 28x28x1, float32, {rounds} interleaved rounds, load before: {os.getloadavg()[0]:.2f}")
    for threads, goal in ((1, 9), (2, 16)):
        torch.set_num_threads(threads)
        t = medians(scoring_variants(), rounds)
        if threads == 1:
            ratio = t["gradcon"] / t["forward"]
            report("scoring, 1 thread: times the best forward pass", ratio, "<= 2.6", ratio <= 2.6)
        ratio = t["loop"] / t["gradcon"]
        report(f"scoring, {threads} thread(s): times faster than one at a time", ratio, f">= {goal}", ratio >= goal)
        speeds = ", ".join(f"{name} {1 / seconds:,.0f}" for name, seconds in t.items())
        print(f"  images per second: {speeds}")
    t = medians(training_variants(), rounds)
    ratio = t["gradcon"] / t["plain"]
    report("training step, 2 threads, batch 64: times the plain step", ratio, "<= 2.1", ratio <= 2.1)
    print(
        f"  {1e3 * t['gradcon']:.1f} ms a step, {1e3 * t['plain']:.1f} ms plain; load after: {os.getloadavg()[0]:.2f}"
    )


if __name__ == "__main__":
    main()
