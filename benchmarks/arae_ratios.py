"""Speed of ARAE as ratios: the attack against a naive one, and the whole training step against the plain autoencoder's.

    python benchmarks/arae_ratios.py [--rounds 7]

The naive attack makes 40 steps of PGD in which `loss.backward()` differentiates by the encoder's weights too; the code
of the clean image is worked out once, or, in a second naive form, anew at every step. All variants attack the same 128
images of 784 values with the same net and the same arithmetic of delta, and take turns within each round, so that a
load on the machine falls on all of them; ratios are of medians, one thread.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from amiss.adversaries.perturbation import Linf
from amiss.contracts import ImageSpec
from amiss.engine.runtime import keep_workspace, place
from amiss.methods.arae import ARAE, PLAIN, ARAELearner
from ratios import Variants, medians, record, repeated, report

SPEC, BATCH = ImageSpec(1, 28, 28), 128
ATTACK = Linf(0.2, steps=40)


def learner(hp: ARAE) -> ARAELearner:
    torch.manual_seed(0)
    made = hp.learner(SPEC)
    assert isinstance(made, ARAELearner)
    place(made, torch.device("cpu"))
    return made


def naive(made: ARAELearner, x: Tensor, *, recompute: bool) -> Tensor:
    """PGD with weight gradients, and the clean code anew at every step if `recompute`."""
    delta = torch.empty_like(x).uniform_(-ATTACK.eps, ATTACK.eps)
    step = 2.5 * ATTACK.eps / ATTACK.steps
    encoder = made.ae.encoder
    z = encoder(x).detach()
    for _ in range(ATTACK.steps):
        encoder.zero_grad()
        image = (x + delta).clamp(0, 1).requires_grad_()
        goal = encoder(x).detach() if recompute else z
        (encoder(image) - goal).square().mean().backward()
        assert image.grad is not None
        delta += step * image.grad.sign()
        delta.clamp_(-ATTACK.eps, ATTACK.eps)
    return (x + delta).clamp(0, 1)


def variants() -> Variants:
    """What is timed, and how often one turn repeats it."""
    arae = learner(replace(ARAE(), adversary=ATTACK, lr=1e-3))
    plain = learner(replace(PLAIN, lr=1e-3))
    torch.manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(BATCH, 1, 7, 7), size=28, mode="bilinear")
    target, frozen = arae.hp.target, arae.frozen
    assert frozen is not None
    return {
        "plain step": repeated(lambda: plain.step(x), 20),
        "attack": repeated(lambda: ATTACK(target.objective(frozen, x), x), 2),
        "naive attack": repeated(lambda: naive(arae, x, recompute=False), 2),
        "naive attack, clean code recomputed": repeated(lambda: naive(arae, x, recompute=True), 2),
        "step": repeated(lambda: arae.step(x), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, help="append the figures as a line of JSON")
    args = parser.parse_args()
    keep_workspace()
    torch.set_num_threads(1)
    before = os.getloadavg()[0]
    print(f"ARAE at 28x28x1, batch {BATCH}, {ATTACK.steps} steps, {args.rounds} rounds, 1 thread, load {before:.2f}")
    t = medians(variants(), args.rounds)
    again = t["naive attack, clean code recomputed"] / t["attack"]
    found = [
        ("attack: times faster than naive", t["naive attack"] / t["attack"], ">=", 1.45),
        ("attack: times faster than naive that recomputes the clean code", again, ">=", 1.45),
        ("whole step: times the plain autoencoder's step", t["step"] / t["plain step"], "<=", 15.5),
    ]
    report(found)
    print("milliseconds: " + ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in t.items()))
    if args.output:
        record(args.output, found, t, before)


if __name__ == "__main__":
    main()
