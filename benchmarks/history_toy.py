"""The one-dimensional toy of HistoryAD's Figs. 3 and 4: a generator crosses the data, and its history surrounds them.

    python benchmarks/history_toy.py [--seeds 4] [--output results/history_toy.jsonl] [--figure docs/figures]

Data are N(0, 1), the generator starts at an offset of 5, an epoch is 50 of its updates, and there are five epochs. Both
readings of beta's unit are run: exp(-beta t / n_epochs) with beta 3, and exp(-beta t). Prints what D_TV says at -4, 0
and 4, how much of the data lies inside the history's range, and how much mass lies beyond the bound. With --figure it
draws both readings of the first seed, which needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from amiss.adversaries.history import Decay, History, WeightAverage
from amiss.engine.descend import descend
from amiss.objectives.total_variation_distance import bounded_difference
from amiss.objectives.wasserstein import gradient_penalty

OFFSET, EPOCHS, UPDATES, CRITIC_STEPS, PENALTY, LAM = 5.0, 5, 50, 5, 10.0, 10.0
BETA = 3.0
READINGS = {"share of training": BETA / EPOCHS, "epochs": BETA}
"""beta per epoch, by the unit in which the paper's 3 counts."""


class Column(nn.Module):
    """An MLP 1-64-64-1; as a critic (B, 1) to (B,), as a generator (B, 1) to (B, 1)."""

    def __init__(self, *, critic: bool, offset: float = 0.0) -> None:
        super().__init__()
        self.critic = critic
        self.layers = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
        nn.init.constant_(self.layers[-1].bias, offset)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y.squeeze(1) if self.critic else y


@dataclass
class Toy:
    """What one run ends with."""

    d_tv: Column
    average: Column
    history: Tensor  # (N,) points drawn from the history
    data: Tensor  # (N,) points drawn from the data

    def measures(self) -> dict[str, float]:
        with torch.no_grad():
            at = {f"D_TV at {v}": self.d_tv(torch.tensor([[float(v)]])).item() for v in (-4, 0, 4)}
            values = torch.cat([self.d_tv(points[:, None]) for points in (self.history, self.data)])
        low, high = self.history.min(), self.history.max()
        inside = ((self.data >= low) & (self.data <= high)).float().mean().item()
        beyond = (values.abs() > 1 + 1 / LAM + 0.01).float().mean().item()
        return {**at, "data inside the history's range": inside, "mass beyond the bound": beyond}


def adversarial(densities: list[Decay], keep: int) -> tuple[Column, list[History], list[WeightAverage]]:
    """Train generator and critic; return the generator, and a history and an average of critics for each density."""
    g, d = Column(critic=False, offset=OFFSET), Column(critic=True)
    adams = [torch.optim.Adam(net.parameters(), 5e-4, betas=(0.5, 0.9)) for net in (g, d)]
    histories = [History(g, density, keep) for density in densities]
    averages = [WeightAverage(d) for _ in densities]
    for update in range(EPOCHS * UPDATES + 1):
        t = update / UPDATES  # with 50 updates an epoch, the paper's 50 saves are one an update
        for density, history, average in zip(densities, histories, averages, strict=True):
            history.record(g, t)
            average.add(d, density.weight(t))
        for _ in range(CRITIC_STEPS):
            real = torch.randn(128, 1)
            fake = g(torch.randn(128, 1)).detach()
            loss = (d(real) - d(fake)).mean() + PENALTY * gradient_penalty(d, real, fake).mean()
            descend(loss, adams[1])
        descend(d(g(torch.randn(128, 1))).mean(), adams[0])
    return g.eval(), histories, averages


def detector(g: Column, history: History, steps: int) -> Column:
    """D_TV from random weights, trained by Eq. 10."""
    d_tv = Column(critic=True)
    adam = torch.optim.Adam(d_tv.parameters(), 1e-3)
    for step in range(steps):
        adam.param_groups[0]["lr"] = 1e-3 * (1 - 0.9 * step / steps)
        past = history.sample(g, torch.randn(256, 1), 4)
        descend(bounded_difference(d_tv(torch.randn(256, 1)), d_tv(past), LAM).mean(), adam)
    return d_tv


def run(seed: int, readings: dict[str, float], steps: int = 3000, keep: int = 200) -> dict[str, Toy]:
    """One generator, and a detector for each reading of beta's unit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        g, histories, averages = adversarial([Decay(1, beta, EPOCHS) for beta in readings.values()], keep)
        toys = {}
        for name, history, average in zip(readings, histories, averages, strict=True):
            torch.manual_seed(seed)
            d_tv = detector(g, history, steps)
            points = torch.cat([history.sample(g, torch.randn(500, 1), 50).flatten() for _ in range(20)])
            toys[name] = Toy(d_tv, average.net, points, torch.randn(10_000))
    return toys


def draw(toys: dict[str, Toy], file: Path) -> None:
    """The history, the data, D_TV and the averaged critic, one panel for each reading."""
    import matplotlib  # only here: the library does without it

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(toys), figsize=(10, 3.6), sharey=True)
    x = torch.linspace(-6, 8, 400)
    for axis, (name, toy) in zip(axes, toys.items(), strict=True):
        for points, colour, label in ((toy.data, "black", "data"), (toy.history, "tab:red", "history")):
            axis.hist(points.numpy(), 80, (-6, 8), density=True, histtype="step", color=colour, label=label)
        with torch.no_grad():
            average = toy.average(x[:, None])
            axis.plot(x, toy.d_tv(x[:, None]), color="tab:blue", label="D_TV")
        average = (average - average.mean()) / (average.max() - average.min())
        axis.plot(x, average, color="tab:orange", linestyle="--", label="averaged critic, scaled to height 1")
        axis.axhline(0, color="grey", linewidth=0.5)
        axis.set_title(f"beta = 3 counts in {name}" if name == "epochs" else f"beta = 3 counts in the {name}")
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--output", type=Path, help="append the figures as lines of JSON")
    parser.add_argument("--figure", type=Path, help="folder in which history_toy.png is drawn")
    args = parser.parse_args()
    for seed in range(args.seeds):
        started = time.perf_counter()
        toys = run(seed, READINGS)
        seconds = time.perf_counter() - started
        for name, toy in toys.items():
            measures = {key: round(value, 4) for key, value in toy.measures().items()}
            print(f"seed {seed}, beta counts in {name}: {measures}", flush=True)
            if args.output:
                record = {"seed": seed, "unit": name, **measures, "seconds of both": round(seconds, 1)}
                with args.output.open("a") as file:
                    file.write(json.dumps({**record, "torch": torch.__version__}) + "\n")
        if args.figure and seed == 0:
            draw(toys, args.figure / "history_toy.png")


if __name__ == "__main__":
    main()
