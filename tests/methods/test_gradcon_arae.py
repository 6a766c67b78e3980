"""GradCon on hard images: the objective against autograd written out, and the limits in which it is a known method."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.adversaries.noise import Clean
from amiss.adversaries.perturbation import Linf
from amiss.catalog import load
from amiss.contracts import ImageSpec, InputError
from amiss.methods.gradcon import GradCon
from amiss.methods.gradcon_arae import GradConARAE, GradConARAELearner

SPEC = ImageSpec(1, 16, 16)


def learner(hp: GradConARAE) -> GradConARAELearner:
    torch.manual_seed(0)
    made = hp.learner(SPEC)
    assert isinstance(made, GradConARAELearner)
    return made.double()


def batches(n: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(2, 1, 16, 16, dtype=torch.float64) for _ in range(n)]


def test_training_is_both_papers_loops_together() -> None:
    hp = GradConARAE(alpha=0.3, gamma=0.7, adversary=Linf(0.1, steps=2))  # weights under which every term matters
    fast = learner(hp)
    slow = copy.deepcopy(fast)
    adam = torch.optim.Adam(slow.ae.parameters(), lr=hp.lr)
    past: list[list[Tensor]] = []
    found: list[list[float]] = []
    for i, x in enumerate(batches(4)):
        torch.manual_seed(10 + i)
        losses = fast.step(x)
        torch.manual_seed(10 + i)
        clean = slow.ae.encoder(x).detach()
        worst = hp.adversary(lambda v, z=clean: (slow.ae.encoder(v) - z).square().flatten(1).mean(1), x)
        z, z_worst = slow.ae.encoder(x), slow.ae.encoder(worst)
        recon, latent = F.mse_loss(slow.ae.decoder(z_worst), x), F.mse_loss(z_worst, z)
        total = recon + 0.7 * latent
        terms = [recon.item(), latent.item()]
        if past:
            cosines = []
            for j, weight in enumerate(slow.direction.weights):
                (g,) = torch.autograd.grad(recon, weight, create_graph=True)
                mean = sum(step[j] for step in past) / len(past)
                cosines.append((g * mean).sum() / (g.norm() * mean.norm()))
            total = total - 0.3 * sum(cosines) / len(cosines)
            terms.append(-(sum(cosines) / len(cosines)).item())
        adam.zero_grad()
        total.backward()
        past.append([weight.grad.clone() for weight in slow.direction.weights])
        adam.step()
        torch.testing.assert_close([loss.item() for loss in losses.values()], terms, rtol=1e-9, atol=1e-14)
        found.append(terms)
    assert list(losses) == ["recon", "latent", "grad"]
    for got, expected in zip(fast.ae.parameters(), slow.ae.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    for j, got in enumerate(fast.direction.mean):
        torch.testing.assert_close(got.data, sum(step[j] for step in past) / len(past), rtol=1e-9, atol=1e-15)
    assert all(max(column) - min(column) > 1e-3 * abs(max(column)) for column in zip(*found[1:], strict=True))


def test_without_an_adversary_it_is_gradcon() -> None:
    hybrid = learner(GradConARAE(adversary=Clean()))
    torch.manual_seed(0)
    plain = GradCon(centred=False).learner(SPEC).double()
    data = batches(3)
    for x in data[:2]:
        hybrid.step(x)
        plain.step(x)
    torch.testing.assert_close(hybrid.scorer()(data[2]), plain.scorer()(data[2]), rtol=1e-9, atol=0)
    torch.testing.assert_close(hybrid.criterion(data[2]), plain.criterion(data[2]), rtol=1e-9, atol=0)


def test_the_adversary_changes_what_is_learnt() -> None:
    attacked, clean = learner(GradConARAE(adversary=Linf(0.1, steps=2))), learner(GradConARAE(adversary=Clean()))
    for x in batches(2):
        shifted, still = attacked.step(x), clean.step(x)
    assert shifted["latent"] > 0 == still["latent"]


def test_a_step_at_the_papers_sizes() -> None:
    torch.manual_seed(0)
    made = GradConARAE(adversary=Linf(0.2, steps=40), batch_size=4).learner(ImageSpec(3, 32, 32))
    assert isinstance(made, GradConARAELearner)
    assert sum(p.numel() for p in made.ae.parameters()) == 232_771
    assert all(loss.isfinite() for loss in made.step(torch.rand(4, 3, 32, 32)).values())


def test_settings_are_those_of_the_two_papers() -> None:
    hp = load("gradcon_arae")
    assert isinstance(hp, GradConARAE)
    assert (hp.alpha, hp.gamma, hp.lr, hp.batch_size) == (0.03, 0.1, 1e-3, 64)
    assert hp.learner(SPEC).scorer().weights == {"recon": 1.0, "grad": pytest.approx(0.12, rel=1e-15)}
    assert GradConARAE(beta=1.5).learner(SPEC).scorer().weights["grad"] == 1.5


def test_clean_images_come_first_and_are_not_attacked() -> None:
    made = learner(GradConARAE(clean_epochs=3, epochs=4))
    assert [(p.name, p.epochs) for p in made.phases()] == [("clean", 3), ("attacked", 4)]
    assert [p.name for p in learner(GradConARAE(clean_epochs=0)).phases()] == ["attacked"]
    (x,) = batches(1)
    assert made.clean_step(x)["latent"] == 0
    assert made.step(x)["latent"] > 0


@pytest.mark.parametrize("bad", [{"alpha": -0.1}, {"beta": -1.0}, {"gamma": -1.0}, {"lr": 0.0}, {"epochs": -1}])
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        GradConARAE(**bad)


def test_known_anomalies_are_refused() -> None:
    with pytest.raises(InputError, match="normal images only"):
        GradConARAE().learner(SPEC, known=torch.rand(2, 1, 16, 16))
