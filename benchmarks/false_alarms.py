"""Promised against observed false-alarm rate of one fitted detector, over redraws from unseen real normals.

    python benchmarks/false_alarms.py [--output results/false_alarms.json]
    python benchmarks/false_alarms.py --model MODEL.safetensors --data mnist --class 8

Without a model, GradCon is fitted on the first 1,000 training images of MNIST's class 8, or, where MNIST is not on
disk, on the first 400 of the bundled images. The pool is every official image of the class, training and test, that was
not given to that fit, nor equals one that was. A model file must have been fitted on the first so many training images
of its class; its fingerprint of the data tells.

Each redraw divides the pool at random: n images calibrate, the others are new. The promise is m / (n + 1) with
m = floor(fpr * (n + 1)). Two decisions are measured:

- p_value <= fpr: only ranks decide, so that without ties the mean over redraws is exactly the promise.
- label 1, which is score > threshold: the threshold stands above s_(k) by at most 1e-5 of the scores' spread, so that
  the mean is the promise but for new scores in between.

The standard error of the mean is that of the same scheme on simulated pools of independent uniform scores: the standard
deviation of the means of many pools, which holds whatever redraws of one pool share. z counts such errors. Exit code 1
if any row is more than three from the promise, on either side. The two decisions nearly coincide, so a default run
makes about eight independent comparisons: a right threshold fails one by chance in one run of fifty. To tell chance
from a fault, raise `--repeats`: the error shrinks and a fault stays.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from amiss import catalog
from amiss.artifact.file import versions
from amiss.calibration.conformal import Calibration, allowed, calibration_size
from amiss.contracts import InputError
from amiss.data.demo import load_demo
from amiss.data.images import Images
from amiss.data.reading import fingerprint
from amiss.data.sets import find, load
from amiss.detector import Detector
from amiss.methods.gradcon import GradCon

Floats = NDArray[np.float64]
RATES = (0.01, 0.05)
RULES = ("p_value", "label")


@dataclass(frozen=True)
class Normals:
    """All official images of one class, and how many of the first training images a model of our own is fitted on."""

    name: str
    train: Images
    test: Images
    fitted: int


@dataclass(frozen=True)
class Row:
    """One decision at one rate and calibration size; rates are shares of new normals."""

    rule: str
    fpr: float
    n: int
    new: int
    m: int
    promised: float  # m / (n + 1)
    observed: float
    standard_error: float
    z: float  # (observed - promised) / standard_error

    @property
    def within(self) -> bool:
        return abs(self.z) <= 3


def redraws(scores: Floats, n: int, rates: Sequence[float], repeats: int, seed: int) -> Floats:
    """Shares of new normals that are flagged, (repeats, rates, rules), when n of one pool (N,) at random calibrate."""
    if not 0 < n < len(scores):
        raise InputError(f"{n} of {len(scores)} scores cannot calibrate: at least 1, and at least 1 is new")
    rng, order = np.random.default_rng(seed), np.argsort(scores, kind="stable")
    ascending = scores[order]  # they are counted faster so
    found = np.empty((repeats, len(rates), len(RULES)))
    for i in range(repeats):
        chosen = np.zeros(len(scores), dtype=bool)
        chosen[rng.permutation(len(scores))[:n]] = True
        calibration, new = Calibration(ascending[chosen[order]]), ascending[~chosen[order]]
        p = calibration.p_value(new)
        for j, fpr in enumerate(rates):
            found[i, j] = (p <= fpr).mean(), calibration.at(fpr).predict(new).mean()
    return found


def standard_errors(pool: int, n: int, rates: Sequence[float], repeats: int, seed: int, pools: int) -> Floats:
    """Standard deviation over simulated pools of the mean of `repeats` redraws, (rates, rules)."""
    rng = np.random.default_rng([seed, pool, n])
    means = [
        redraws(rng.uniform(size=pool), n, rates, repeats, int(rng.integers(2**32))).mean(axis=0) for _ in range(pools)
    ]
    return np.std(means, axis=0, ddof=1)


def measure(scores: Floats, n: int, repeats: int, seed: int, pools: int) -> list[Row]:
    """Compare the redraws of one pool of real scores with the promises that n images support."""
    rates = [fpr for fpr in RATES if allowed(fpr, n)]
    draw = int(
        np.random.SeedSequence([seed, n]).generate_state(1)[0]
    )  # with one seed, the sizes would share their luck
    observed = redraws(scores, n, rates, repeats, draw).mean(axis=0)
    errors = standard_errors(len(scores), n, rates, repeats, seed, pools)
    rows = []
    for (j, fpr), (k, rule) in product(enumerate(rates), enumerate(RULES)):
        promised = allowed(fpr, n) / (n + 1)
        mean, error = float(observed[j, k]), float(errors[j, k])
        z = (mean - promised) / error
        rows.append(Row(rule, fpr, n, len(scores) - n, allowed(fpr, n), promised, mean, error, z))
    return rows


def official(data: str, normal: int) -> Normals:
    """Images of one class of a set on disk; raises InputError where they are not there."""
    train, test = (load(data, split) for split in ("train", "test"))
    of_class = [part.images.subset(np.flatnonzero(part.labels == normal)) for part in (train, test)]
    return Normals(f"{data} class {normal}", of_class[0], of_class[1], fitted=1000)


def normals(data: str, normal: int) -> Normals:
    """Images of one class, or the bundled ones where the set is not on disk."""
    try:
        return official(data, normal)
    except InputError as error:
        print(f"the bundled images are used instead: {error}", file=sys.stderr)
    demo = load_demo()
    unseen = demo.test.subset(np.flatnonzero(demo.test_labels == 0))
    return Normals("bundled images", demo.train, unseen, fitted=400)


def pixels(images: Images) -> NDArray[np.generic]:
    """All pixels (N, C, H, W) in the stored depth."""
    return images.take(np.arange(len(images))).numpy()


def loaded(path: Path, of: Normals) -> tuple[Detector, Images]:
    """A detector from a file, and the images that it was fitted on; raises InputError unless they are the first."""
    detector = Detector.load(path)
    data = detector.artifact.record.get("data")
    count, known = (data.get("images"), data.get("fingerprint")) if isinstance(data, dict) else (None, None)
    if isinstance(count, int) and 0 < count <= len(of.train):
        seen = of.train.subset(np.arange(count))
        if fingerprint(seen) == known:
            return detector, seen
    raise InputError(
        f"{path} was fitted on {count} images, which are not the first of {of.name}'s {len(of.train):,} training "
        f"images: fit on those, so that the others are known to be unseen"
    )


def fitted(of: Normals, epochs: int, seed: int) -> tuple[Detector, Images]:
    """GradCon fitted on the first images, and those images."""
    seen = of.train.subset(np.arange(of.fitted))
    return Detector(GradCon(epochs=epochs), fpr=None, random_state=seed).fit(pixels(seen)), seen


def unseen_scores(detector: Detector, of: Normals, seen: Images) -> Floats:
    """Scores of every image of the class that is not, pixel by pixel, one that the fit was given."""
    known = seen.digests()
    unseen = [part.subset(np.flatnonzero(~np.isin(part.digests(), known))) for part in (of.train, of.test)]
    return np.concatenate([detector.decision_function(pixels(part)) for part in unseen])


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Promised against observed false-alarm rate over redraws")
    parser.add_argument("--model", type=Path, help="a model file, instead of fitting GradCon")
    parser.add_argument("--data", default="mnist", help="official data set")
    parser.add_argument("--class", dest="normal", type=int, default=8, help="its normal class")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of GradCon")
    parser.add_argument("--more", type=int, nargs="*", default=[499, 199, 99], help="sizes n besides the default")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--pools", type=int, default=200, help="simulated pools")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    return parser


def run(options: argparse.Namespace) -> int:
    """Print one line per calibration size, rate and rule."""
    started = time.perf_counter()
    classes = find(options.data).classes
    if not 0 <= options.normal < len(classes):
        raise InputError(f"{options.data} has no class {options.normal}: accepted are 0 to {len(classes) - 1}")
    of = official(options.data, options.normal) if options.model else normals(options.data, options.normal)
    detector, seen = loaded(options.model, of) if options.model else fitted(of, options.epochs, options.seed)
    scores = unseen_scores(detector, of, seen)
    facts = {
        "data": of.name,
        "method": catalog.to_settings(detector.method),
        "fitted_on": len(seen),
        "pool": len(scores),
        "ties": len(scores) - len(np.unique(scores)),
        "default_n": calibration_size(len(of.train), min(RATES)),
        **{name: getattr(options, name) for name in ("repeats", "pools", "seed")},
    }
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("rule       fpr      n    new    m  promised  observed  std.err.      z")
    rows = []
    for n in dict.fromkeys((calibration_size(len(of.train), min(RATES)), *options.more)):
        for row in measure(scores, n, options.repeats, options.seed, options.pools):
            rows.append(row)
            print(
                f"{row.rule:8} {row.fpr:5} {row.n:6} {row.new:6} {row.m:4}   {row.promised:.5f}   {row.observed:.5f}  "
                f" {row.standard_error:.5f} {row.z:+6.2f}  {'within' if row.within else 'OUTSIDE'}",
                flush=True,
            )
    good = all(row.within for row in rows)
    print(f"mean false-alarm rate within 3 standard errors of the promise in every row: {'yes' if good else 'NO'}")
    if options.output is not None:
        machine = {"machine": platform.machine(), "threads": torch.get_num_threads()}
        took = {"seconds": round(time.perf_counter() - started)}
        written = {**facts, "versions": versions(), **machine, **took, "rows": [asdict(row) for row in rows]}
        options.output.write_text(json.dumps(written, indent=1) + "\n")
    return 0 if good else 1


def main() -> int:
    parser = arguments()
    try:
        return run(parser.parse_args())
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
