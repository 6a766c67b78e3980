"""AUROC under attack: falling, within the ball, repeatable, and refused where there is no gradient."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from amiss.adversaries.perturbation import L2, Linf
from amiss.contracts import ImageSpec, InputError, Scorer
from amiss.data.images import Images
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.engine.scoring import score_images, score_terms
from amiss.evaluation.metrics import auroc
from amiss.evaluation.robustness import attacked_auroc
from amiss.methods.arae import PLAIN
from amiss.methods.gradcon import GradCon
from amiss.nets.mlp_autoencoder import SigmoidMLP
from amiss.protocols.labels import METRIC, Labels
from amiss.testing.samples import synthetic

SAMPLES = synthetic(ImageSpec(1, 16, 16), train=128, held_out=16, test=70)


@pytest.fixture(scope="module")
def trained() -> Scorer:
    """A plain autoencoder after a second of training, which separates the easy set."""
    hp = replace(PLAIN, net=SigmoidMLP(breadth=1 / 8), batch_size=16, clean_epochs=0, epochs=60, lr=1e-2, least_steps=0)
    return fit(hp, SAMPLES.train.spec, SAMPLES.train, runtime=Runtime("cpu")).scorer


def test_auroc_falls_as_eps_grows(trained: Scorer) -> None:
    labels = Labels(SAMPLES.labels)
    rows = attacked_auroc(trained, SAMPLES.test, labels, (0.0, 0.2, 0.3, 0.4), attack=Linf(steps=5))
    assert [row.eps for row in rows] == [0.0, 0.2, 0.3, 0.4]
    found = [row.auroc for row in rows]
    assert found[0] == auroc(score_images(trained, SAMPLES.test), SAMPLES.labels)
    assert rows[0].raised == 0
    assert all(later < earlier for earlier, later in pairwise(found))
    assert found[0] > 0.9
    assert found[-1] < found[0] - 0.3
    assert all(later.raised > earlier.raised for earlier, later in pairwise(rows))
    assert labels.purposes == (METRIC,)
    assert not labels.marked


def test_the_same_seed_gives_the_same_numbers(trained: Scorer) -> None:
    def run(seed: int, eps=(0.1,)):
        torch.manual_seed(seed + 7)  # the caller's random state does not matter
        return attacked_auroc(trained, SAMPLES.test, Labels(SAMPLES.labels), eps, attack=Linf(steps=2), seed=seed)

    before = torch.get_rng_state()
    first = run(0)
    assert first == run(0)
    assert first == run(0, (0.05, 0.1))[1:]
    assert first != run(1)
    torch.set_rng_state(before)


class Watched(Scorer):
    """The brightness of an image; keeps every image that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def terms(self, x):
        bright = x.mean((1, 2, 3))
        return {"bright": bright, "dark": 1 - bright, "still": torch.zeros_like(bright).detach()}

    def forward(self, x):
        self.seen.append(x.detach())
        return self.terms(x)["bright"]


@pytest.mark.parametrize("attack", [Linf(steps=4), L2(steps=4)])
def test_only_normal_images_are_changed_and_only_within_the_ball(attack) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((90, 1, 3, 4), dtype=np.float32)
    labels = np.arange(90) % 3 == 0
    scorer = Watched()
    (row,) = attacked_auroc(scorer, Images(pixels), Labels(labels.astype(int)), (0.2,), attack=attack)
    x = torch.from_numpy(pixels)
    moved = torch.cat([v for v in scorer.seen if len(v) == 60])  # the 60 normal images are one micro-batch
    change = (moved.view(-1, 60, 12) - x[~torch.from_numpy(labels)].flatten(1)).float()
    size = change.abs().amax(2) if isinstance(attack, Linf) else change.norm(dim=2)
    assert size.max() <= 0.2 * (1 + 1e-5)
    assert moved.min() >= 0
    assert moved.max() <= 1
    hard = moved.view(-1, 60, 12)[-1]
    scores = pixels.reshape(90, -1).mean(1).astype(np.float64)
    clean = scores.copy()
    scores[~labels] = hard.mean(1).double().numpy()
    assert row.auroc == pytest.approx(auroc(scores, labels.astype(int)), abs=1e-3)
    assert row.raised == pytest.approx((scores - clean)[~labels].mean(), abs=1e-5)
    assert row.raised > 0.05


def test_a_named_term_is_attacked_and_measured() -> None:
    rng = np.random.default_rng(0)
    images = Images(rng.random((40, 1, 3, 4), dtype=np.float32))
    labels = np.repeat([0, 1], 20)
    rows = attacked_auroc(Watched(), images, Labels(labels), (0.0, 0.1), term="dark")
    assert rows[0].auroc == auroc(score_terms(Watched(), images)["dark"], labels)
    assert rows[1].raised == pytest.approx(0.1, abs=0.02)  # darker by eps wherever there is room
    assert rows[1].auroc < rows[0].auroc


def test_gradcon_is_attacked_through_its_written_out_gradients() -> None:
    torch.manual_seed(0)
    learner = GradCon(alpha=0.3, centred=False).learner(SAMPLES.train.spec)
    for start in range(0, 96, 16):
        learner.step(torch.from_numpy(SAMPLES.train.take(np.arange(start, start + 16)).numpy()).float() / 255)
    scorer = learner.scorer().requires_grad_(False).eval()
    images = SAMPLES.test.subset(np.r_[:20, 70:90])
    labels = SAMPLES.labels[np.r_[:20, 70:90]]
    for term in (None, "recon", "grad", "grad.2"):
        clean, attacked = attacked_auroc(scorer, images, Labels(labels), (0, 0.1), term=term, attack=Linf(steps=5))
        assert attacked.raised > 0, term
        assert attacked.auroc < clean.auroc or clean.auroc == 0, term
    with pytest.raises(InputError, match="'latent' does not depend on the image"):
        attacked_auroc(scorer, images, Labels(labels), (0.1,), term="latent")


class Flat(Watched):
    """The same without a gradient."""

    differentiable = False


def test_what_cannot_be_attacked_is_refused_in_a_sentence() -> None:
    images, labels = Images(np.zeros((4, 1, 3, 4), np.float32)), Labels([0, 0, 1, 1])
    with pytest.raises(InputError, match="Flat cannot be attacked: it has no gradient"):
        attacked_auroc(Flat(), images, labels, (0.1,))
    with pytest.raises(InputError, match="no term 'recon': choose from bright, dark, still"):
        attacked_auroc(Watched(), images, labels, (0.1,), term="recon")
    with pytest.raises(InputError, match="'still' does not depend on the image"):
        attacked_auroc(Watched(), images, labels, (0.1,), term="still")
    with pytest.raises(InputError, match=r"3 labels .* 4 images"):
        attacked_auroc(Watched(), images, Labels([0, 0, 1]), (0.1,))
    with pytest.raises(InputError, match=r"eps=-0\.1"):
        attacked_auroc(Watched(), images, labels, (-0.1,))
    assert labels.purposes in ((), (METRIC,))


def test_weights_get_no_gradients(trained: Scorer) -> None:
    attacked_auroc(trained, SAMPLES.test, Labels(SAMPLES.labels), (0.05,), attack=Linf(steps=2))
    assert all(p.grad is None for p in trained.parameters())
    assert isinstance(trained, nn.Module)
    assert math.isfinite(sum(p.sum().item() for p in trained.parameters()))


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "robustness.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "robustness.md", "exec"), {})
    found = [[float(value) for value in line.split()] for line in capsys.readouterr().out.splitlines()]
    assert [eps for eps, _, _ in found] == [0, 0.02, 0.05]
    assert found[0][1] > found[1][1] > found[2][1]
