"""ARAE: the training step term by term against the paper written out, what is attacked when, and the presets."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from amiss.adversaries.noise import Clean, Noise
from amiss.adversaries.perturbation import L2, Linf
from amiss.adversaries.spatial import Grid
from amiss.adversaries.union import Union
from amiss.catalog import load, names
from amiss.contracts import ImageSpec, InputError, WorkError
from amiss.data.images import Images
from amiss.engine.fitting import fit
from amiss.engine.runtime import Runtime
from amiss.methods.arae import ARAE, PRESETS, ARAELearner
from amiss.nets.mlp_autoencoder import ReluMLP, SigmoidMLP
from amiss.nets.strided_autoencoder import Strided
from amiss.objectives.latent import LatentShift, ReconstructionError

SPEC = ImageSpec(1, 6, 7)
SMALL = SigmoidMLP(breadth=1 / 32)
LOUD = ARAE(gamma=0.7, net=SMALL, adversary=Linf(0.3, steps=3), lr=1e-2)


def learner(hp: ARAE, spec: ImageSpec = SPEC) -> ARAELearner:
    torch.manual_seed(0)
    made = hp.learner(spec)
    assert isinstance(made, ARAELearner)
    return made.double()


def images(n: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 6, 7, dtype=torch.float64, generator=generator)


def slow_step(ae, attacked, hp: ARAE, adam, x: Tensor) -> dict[str, float]:
    """The paper's step, image by image: Eqs. 1 to 4 with means, the gradient by loss.backward()."""
    delta = torch.empty_like(x).uniform_(-hp.adversary.eps, hp.adversary.eps)
    eps, steps = hp.adversary.eps, hp.adversary.steps
    for _ in range(steps):
        v = (x + delta).clamp(0, 1).requires_grad_()
        attacked.zero_grad()
        ((attacked(v) - attacked(x).detach()) ** 2).mean().backward()  # Eqs. 1 and 2
        delta = (delta + 2.5 * eps / steps * v.grad.sign()).clamp(-eps, eps)
    worst = (x + delta).clamp(0, 1)
    recon, latent = 0.0, 0.0
    for image, hard in zip(x, worst, strict=True):
        code, moved = ae.encoder(image[None]), ae.encoder(hard[None])
        recon = recon + ((ae.decoder(moved) - image[None]) ** 2).mean() / len(x)  # Eq. 4
        latent = latent + ((moved - code) ** 2).mean() / len(x)  # Eq. 2
    adam.zero_grad()
    (recon + hp.gamma * latent).backward()  # Eq. 3, through both codes
    adam.step()
    return {"recon": recon.item(), "latent": latent.item()}


@pytest.mark.parametrize("per_batch", [True, False])
def test_training_is_the_papers_loop(per_batch: bool) -> None:
    hp = replace(LOUD, per_batch=per_batch)
    fast = learner(hp)
    slow = copy.deepcopy(fast.ae)
    adam = torch.optim.Adam(slow.parameters(), lr=hp.lr)
    seen: list[dict[str, float]] = []
    for epoch in range(2):
        frozen = copy.deepcopy(slow.encoder)
        for batch in range(3):
            x = images(4, seed=10 * epoch + batch)
            torch.manual_seed(batch)
            losses = fast.step(x)
            torch.manual_seed(batch)
            wanted = slow_step(slow, slow.encoder if per_batch else frozen, hp, adam, x)
            for name, value in wanted.items():
                assert losses[name].item() == pytest.approx(value, rel=1e-9), name
            seen.append(wanted)
        fast.freeze()
    for got, expected in zip(fast.ae.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-9)
    for name in ("recon", "latent"):
        assert np.std([losses[name] for losses in seen]) > 1e-9


def test_the_gradient_flows_through_both_codes() -> None:
    hp = replace(LOUD, gamma=1e6)  # the latent term alone
    made, x = learner(hp), images(4)
    torch.manual_seed(3)
    made.step(x)
    found = [p.grad.clone() for p in made.ae.encoder.parameters()]
    again = learner(hp)
    torch.manual_seed(3)
    worst = hp.adversary(hp.target.objective(again.frozen, x), x)
    one_sided = (again.ae.encoder(worst) - again.ae.encoder(x).detach()).square().mean()
    half = torch.autograd.grad(1e6 * one_sided, list(again.ae.encoder.parameters()))
    assert any(not torch.allclose(f, h, rtol=0.1, atol=0) for f, h in zip(found, half, strict=True))


def test_the_hard_image_is_restored_to_the_clean_one() -> None:
    made, x = learner(LOUD), images(4)
    torch.manual_seed(3)
    recon = made.step(x)["recon"].item()
    again = learner(LOUD)
    torch.manual_seed(3)
    worst = LOUD.adversary(LOUD.target.objective(again.frozen, x), x)
    y = again.ae(worst).detach()
    assert recon == pytest.approx((y - x).square().mean().item(), rel=1e-12)
    assert abs(recon - (y - worst).square().mean().item()) > 1e-6


def test_sums_weigh_the_code_as_the_paper_prints_it() -> None:
    means, sums, x = learner(LOUD), learner(replace(LOUD, sums=True)), images(5)
    for name, values in (("recon", 42), ("latent", 4)):
        torch.manual_seed(3)
        of_means = copy.deepcopy(means).step(x)[name]
        torch.manual_seed(3)
        of_sums = copy.deepcopy(sums).step(x)[name]
        torch.testing.assert_close(of_sums, of_means * values, rtol=1e-9, atol=0)


def test_the_whole_set_is_attacked_as_the_encoder_stood_at_the_epochs_start() -> None:
    made = learner(LOUD)
    frozen = [p.clone() for p in made.frozen.parameters()]
    made.step(images(4))
    assert all(torch.equal(p, f) for p, f in zip(made.frozen.parameters(), frozen, strict=True))
    assert not any(torch.equal(p, f) for p, f in zip(made.ae.encoder.parameters(), frozen, strict=True))
    made.freeze()
    assert all(torch.equal(p, q) for p, q in zip(made.frozen.parameters(), made.ae.encoder.parameters(), strict=True))
    assert sum(p.numel() for p in made.frozen.parameters()) == sum(p.numel() for p in made.ae.encoder.parameters())
    assert learner(replace(LOUD, per_batch=True)).frozen is None


def test_phases_start_clean_and_refresh_the_frozen_copy() -> None:
    made = learner(replace(LOUD, clean_epochs=2, epochs=3, least_steps=5))
    phases = made.phases()
    clean = next(phases)
    assert (clean.name, clean.epochs, clean.batch_size, clean.steps) == ("clean", 2, 64, 5)
    clean.step(images(4))
    attacked = next(phases)
    assert (attacked.name, attacked.epochs, attacked.steps, attacked.on) == ("attacked", 3, 5, "train")
    for phase in (clean, attacked):
        assert phase.after_epoch == made.freeze
    assert all(torch.equal(p, q) for p, q in zip(made.frozen.parameters(), made.ae.encoder.parameters(), strict=True))
    assert next(phases, None) is None
    assert [phase.name for phase in learner(replace(LOUD, clean_epochs=0)).phases()] == ["attacked"]


def test_the_clean_phase_is_the_plain_autoencoder() -> None:
    made = learner(LOUD)
    oracle = copy.deepcopy(made.ae)
    adam = torch.optim.Adam(oracle.parameters(), lr=1e-2)
    for batch in range(3):
        x = images(4, batch)
        losses = made.clean_step(x)
        adam.zero_grad()
        ((oracle(x) - x) ** 2).mean().backward()
        adam.step()
    assert list(losses) == ["recon"]
    for got, expected in zip(made.ae.parameters(), oracle.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("adversary", [Clean(), Noise(0.1)])
def test_without_gamma_only_the_reconstruction_is_trained(adversary) -> None:
    hp = replace(load("ae"), net=SMALL, adversary=adversary, lr=1e-2)
    made, x = learner(hp), images(4)
    oracle = copy.deepcopy(made.ae)
    torch.manual_seed(2)
    losses = made.step(x)
    torch.manual_seed(2)
    noisy = adversary(lambda v: v.sum((1, 2, 3)), x)
    assert list(losses) == ["recon"]
    torch.testing.assert_close(losses["recon"], (oracle(noisy) - x).square().mean(), rtol=1e-12, atol=0)


def test_arae_r_attacks_the_reconstruction_of_the_frozen_net() -> None:
    hp = replace(LOUD, target=ReconstructionError())
    made, x = learner(hp), images(4)
    assert len(list(made.frozen.parameters())) == len(list(made.ae.parameters()))
    torch.manual_seed(3)
    losses = made.step(x)
    again = learner(hp)
    torch.manual_seed(3)
    worst = hp.adversary(lambda v: (again.ae(v) - x).square().flatten(1).mean(1), x)
    torch.testing.assert_close(losses["recon"], (again.ae(worst) - x).square().mean(), rtol=1e-9, atol=0)
    torch.testing.assert_close(
        losses["latent"], (again.ae.encoder(worst) - again.ae.encoder(x)).square().mean(), rtol=1e-9, atol=0
    )


def test_a_union_trains_on_every_members_images() -> None:
    hp = replace(LOUD, adversary=Union((L2(0.5, steps=2), Linf(0.2, steps=2), Grid(angles=3))))
    made, x = learner(hp), images(4)
    torch.manual_seed(3)
    losses = made.step(x)
    again = learner(hp)
    torch.manual_seed(3)
    worst = hp.adversary(hp.target.objective(again.ae.encoder, x), x)
    apart = [(again.ae(part) - x).square().mean().item() for part in worst.chunk(3)]
    assert losses["recon"].item() == pytest.approx(sum(apart) / 3, rel=1e-9)
    assert np.std(apart) > 0
    shifts = [(again.ae.encoder(part) - again.ae.encoder(x)).square().mean().item() for part in worst.chunk(3)]
    assert losses["latent"].item() == pytest.approx(sum(shifts) / 3, rel=1e-9)


def test_the_score_is_the_mean_squared_error_of_the_clean_image() -> None:
    made = learner(LOUD).eval()
    x = images(5)
    slow = torch.stack([((made.ae(x[i : i + 1])[0] - x[i]) ** 2).sum() / 42 for i in range(5)])
    torch.testing.assert_close(made.scorer()(x), slow, rtol=1e-12, atol=0)
    assert slow.std() > 0
    assert torch.equal(made.vitals(x)["latent"], made.ae.encoder(x))


@pytest.mark.parametrize("net", [SigmoidMLP(), ReluMLP(), Strided()])
@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 32, 32)])
def test_one_step_at_full_size(net, spec) -> None:
    torch.manual_seed(0)
    made = ARAE(net=net, adversary=Linf(0.05, steps=2)).learner(spec)
    x = torch.rand(4, spec.channels, spec.height, spec.width)
    losses = made.step(x)
    assert set(losses) == {"recon", "latent"}
    assert all(0 < loss.item() < float("inf") for loss in losses.values())


def test_a_collapsed_code_is_found() -> None:
    """From an attacked start the sigmoid net is left with the mean image; the engine says so at the end."""
    rng = np.random.default_rng(0)
    x = Images(rng.integers(0, 256, (32, 1, 6, 7), dtype=np.uint8))
    hp = replace(LOUD, gamma=1e4, clean_epochs=0, epochs=40, least_steps=0, batch_size=16)
    with pytest.raises(WorkError, match="latent code collapsed"):
        fit(hp, SPEC, x, runtime=Runtime("cpu"))


def test_defaults_and_presets_are_those_of_the_paper_and_its_code() -> None:
    hp = ARAE()
    assert (hp.gamma, hp.net, hp.adversary, hp.target) == (0.1, SigmoidMLP(), Linf(0.05, steps=10), LatentShift())
    assert (hp.per_batch, hp.sums, hp.clean_epochs, hp.lr, hp.batch_size) == (False, False, 20, 3e-3, 64)
    published = {
        "arae_published": (0.2, 40, 256, 1600),
        "arae_published_fashion": (0.05, 40, 256, 8000),
        "arae_published_coil": (0.05, 20, 16, 1000),
    }
    for name, (eps, steps, batch_size, epochs) in published.items():
        hp = load(name)
        assert hp.adversary == Linf(eps, steps)
        assert (hp.batch_size, hp.epochs, hp.clean_epochs, hp.lr, hp.gamma) == (batch_size, epochs, 0, 1e-3, 0.1)
        assert (hp.net, hp.target, hp.per_batch, hp.sums) == (SigmoidMLP(), LatentShift(), False, False)


def test_the_union_is_that_of_the_released_code() -> None:
    for name, epochs in (("arae_a_released", 500), ("arae_a", load("arae_a").epochs)):
        hp = load(name)
        assert (hp.gamma, hp.net, hp.per_batch, hp.lr, hp.batch_size) == (0.2, ReluMLP(), True, 1e-3, 128)
        assert (hp.epochs, hp.clean_epochs, hp.target) == (epochs, 0, LatentShift())
        assert hp.adversary.members == (L2(5.0, steps=100, step=0.1), Linf(0.2, steps=40, step=0.01), Grid())
    assert load("arae_a").epochs < 500


def test_other_presets_change_one_part() -> None:
    assert load("arae_batch") == ARAE(per_batch=True)
    assert load("arae_sums") == ARAE(sums=True)
    assert load("arae_r") == ARAE(target=ReconstructionError())
    assert load("arae_conv").net == Strided(d=100, width=1.0)
    assert load("dae") == replace(load("ae"), adversary=Noise(0.1))
    ae = load("ae")
    assert (ae.gamma, ae.adversary, ae.net) == (0.0, Clean(), SigmoidMLP())
    assert (ae.clean_epochs, ae.epochs, ae.lr, ae.batch_size) == (20, 40, 3e-3, 64)
    assert {"arae", *PRESETS} <= set(names())


@pytest.mark.parametrize(
    "bad",
    [
        {"gamma": -0.1},
        {"lr": 0.0},
        {"batch_size": 0},
        {"clean_epochs": -1},
        {"epochs": -1},
        {"least_steps": -1},
        {"gamma": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        ARAE(**bad)


def test_known_anomalies_are_refused() -> None:
    with pytest.raises(InputError, match="normal images only"):
        ARAE().learner(SPEC, known=torch.rand(2, 1, 6, 7))


def test_large_images_are_refused_by_the_fully_connected_nets_alone() -> None:
    with pytest.raises(InputError, match="arae_conv"):
        ARAE().learner(ImageSpec(1, 128, 128))
    assert isinstance(load("arae_conv").learner(ImageSpec(1, 128, 128)), ARAELearner)
