"""Promised against observed false-alarm rate over redraws of calibration and test from unseen real normals.

    python benchmarks/false_alarms.py                          PCA on MNIST class 8, n as the library's default
    python benchmarks/false_alarms.py --scores FILE.npy --calibration 1170

Each redraw divides one pool of unseen normals at random: n calibrate, the others are new. The promise is m / (n + 1)
with m = floor(fpr * (n + 1)). Two decisions are measured.

p_value <= fpr: only ranks decide. Whatever the pool (without ties), a new image is equally likely at every rank among
n + 1, so the mean over redraws is exactly m / (n + 1), and redraws of one pool are as independent as those of many.

label 1, which is score > threshold: the threshold stands midway between s_(k) and the next larger calibration score, so
an image in the lower half of that gap is not flagged. A new image falls into the gap once in n + 1, so the mean lies
between (m - 1) / (n + 1) and m / (n + 1); where scores are locally uniform it is (m - 1/2) / (n + 1). With m = 1
nothing larger exists and the bias vanishes. The gaps belong to the pool, so here redraws of one pool are dependent.

The standard error of the mean is therefore that of the same scheme on simulated pools of independent uniform scores:
the standard deviation of the means of many pools; z counts such errors. "within": at most three from the promise, on
either side. "gap": further below, but not below (m - 1) / (n + 1) by more than three. Exit code 1 if a row with the
library's own n is not "within", or any row is "OUTSIDE" of both.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from amiss.calibration.conformal import Calibration, allowed, calibration_size
from amiss.contracts import InputError
from amiss.data.sets import load
from amiss.protocols.split import split

Floats = NDArray[np.float64]
RATES = (0.01, 0.05)
RULES = ("p_value", "label")


@dataclass(frozen=True)
class Row:
    """One rate at one calibration size; rates are shares of new normals."""

    rule: str
    fpr: float
    n: int
    new: int
    m: int
    promised: float  # m / (n + 1)
    simulated: float  # mean of the simulated pools: what the rule yields for uniform scores
    observed: float
    standard_error: float
    z: float  # (observed - promised) / standard_error
    z_simulated: float  # (observed - simulated) / standard_error

    @property
    def verdict(self) -> str:
        if abs(self.z) <= 3:
            return "within"
        lowest = (self.m - 1) / (self.n + 1) - 3 * self.standard_error
        return "gap" if self.rule == "label" and self.m > 1 and lowest <= self.observed < self.promised else "OUTSIDE"


def redraws(scores: Floats, n_calibration: int, fpr: float, repeats: int, seed: int, *, rule: str = "label") -> Floats:
    """False-alarm rates (repeats,) of random divisions of one pool of scores (N,) into calibration and new normals."""
    if not 0 < n_calibration < len(scores):
        raise InputError(f"{n_calibration} of {len(scores)} scores cannot calibrate: at least 1, and at least 1 is new")
    rng = np.random.default_rng(seed)
    rates = np.empty(repeats)
    for i in range(repeats):
        drawn = rng.permutation(scores)
        calibration, new = Calibration(drawn[:n_calibration], fpr), drawn[n_calibration:]
        flagged = calibration.p_value(new) <= fpr if rule == "p_value" else calibration.predict(new) == 1
        rates[i] = flagged.mean()
    return rates


def standard_error(
    pool: int, n_calibration: int, fpr: float, repeats: int, seed: int, *, rule: str = "label", pools: int = 200
) -> tuple[float, float]:
    """Mean, and standard deviation over simulated pools of uniform scores, of the mean rate of `repeats` redraws."""
    rng = np.random.default_rng([seed, pool, n_calibration])
    means = [
        redraws(rng.uniform(size=pool), n_calibration, fpr, repeats, int(rng.integers(2**32)), rule=rule).mean()
        for _ in range(pools)
    ]
    return float(np.mean(means)), float(np.std(means, ddof=1))


def measure(scores: Floats, n: int, fpr: float, repeats: int, seed: int, pools: int, rule: str) -> Row:
    """Compare the redraws of one pool of real scores with the promise."""
    m = allowed(fpr, n)
    observed = float(redraws(scores, n, fpr, repeats, seed, rule=rule).mean())
    simulated, error = standard_error(len(scores), n, fpr, repeats, seed, rule=rule, pools=pools)
    promised = m / (n + 1)
    from_both = (observed - promised) / error, (observed - simulated) / error
    return Row(rule, fpr, n, len(scores) - n, m, promised, simulated, observed, error, *from_both)


def mnist_scores(method: str, normal: int, seed: int) -> tuple[Floats, int]:
    """Scores of all unseen normals of a class, and how many of them the library's default would calibrate with.

    The official training images of the class are split as the library does; the pool is calibration plus official test.
    """
    train, test = load("mnist", "train"), load("mnist", "test")
    images = train.images.subset(np.flatnonzero(train.labels == normal))
    n = calibration_size(len(images), min(RATES))
    parts = split(images, n_calibration=n, n_held_out=0, seed=seed)

    unseen = test.images.subset(np.flatnonzero(test.labels == normal))
    fitted, calibration = (
        images.take(part).numpy().reshape(len(part), -1) / 255 for part in (parts.train, parts.calibration)
    )
    pool = np.concatenate([calibration, unseen.take(np.arange(len(unseen))).numpy().reshape(len(unseen), -1) / 255])
    if method == "pca":
        pca = PCA(n_components=0.9, svd_solver="full").fit(fitted)
        return ((pool - pca.inverse_transform(pca.transform(pool))) ** 2).mean(axis=1), n
    neighbours = NearestNeighbors(n_neighbors=5).fit(fitted)
    return neighbours.kneighbors(pool)[0][:, -1], n


def main() -> int:
    """Print one line per rule, rate and calibration size."""
    parser = argparse.ArgumentParser(description="Promised against observed false-alarm rate over redraws")
    parser.add_argument("--scores", type=Path, help="scores of unseen normals (N,) as .npy, instead of fitting a model")
    parser.add_argument("--calibration", type=int, help="calibration size n; needed with --scores")
    parser.add_argument("--more", type=int, nargs="*", default=[99, 199, 499], help="further sizes n to report")
    parser.add_argument("--method", choices=["pca", "knn"], default="pca")
    parser.add_argument("--normal", type=int, default=8, help="class of MNIST")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--pools", type=int, default=200, help="simulated pools")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="write the rows as JSON")
    options = parser.parse_args()
    if options.scores is None:
        scores, n = mnist_scores(options.method, options.normal, options.seed)
    elif options.calibration is None:
        parser.error("--scores needs --calibration, the number of images that calibrated the model")
    else:
        scores, n = np.load(options.scores, allow_pickle=False).astype(np.float64), options.calibration
    ties = len(scores) - len(np.unique(scores))
    print(f"pool: {len(scores)} unseen normals, {ties} tied scores; {options.repeats} redraws; n = {n} is the default")
    print("rule      fpr      n    new   m  promised  uniform  observed  std.err.      z  z.unif")
    rows = []
    for size in (n, *(k for k in options.more if k < len(scores) and k != n)):
        for fpr, rule in product((f for f in RATES if allowed(f, size)), RULES):
            row = measure(scores, size, fpr, options.repeats, options.seed, options.pools, rule)
            rows.append(row)
            print(
                f"{rule:8} {fpr:5} {size:6} {row.new:6} {row.m:3}   {row.promised:.5f}  {row.simulated:.5f}   "
                f"{row.observed:.5f}   {row.standard_error:.5f} {row.z:+6.2f}  {row.z_simulated:+6.2f}  {row.verdict}",
                flush=True,
            )
    if options.output is not None:
        settings = {"repeats": options.repeats, "pools": options.pools, "seed": options.seed, "n": n, "ties": ties}
        written = [{**asdict(row), "verdict": row.verdict} for row in rows]
        options.output.write_text(json.dumps({**settings, "rows": written}, indent=1) + "\n")
    return int(any(row.verdict == "OUTSIDE" or (row.n == n and row.verdict != "within") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
