"""HistoryAD: each step of its phases against the paper's loop, written out slowly."""

from __future__ import annotations

import copy
from dataclasses import replace
from math import exp

import pytest
import torch
from torch import Tensor

from amiss.catalog import load
from amiss.contracts import ImageSpec, InputError, Phase
from amiss.methods.history_ad import Averaged, Fresh, HistoryAD, HistoryADLearner
from amiss.objectives.wasserstein import gradient_penalty

SPEC = ImageSpec(1, 28, 28)
SMALL = HistoryAD(width=1 / 64, z=5, keep=6, saves=4, n_critic=2, alpha=0.5, beta=1.5, epochs=2, few=3)


def learner(hp: HistoryAD = SMALL) -> HistoryADLearner:
    torch.manual_seed(0)
    made = hp.learner(SPEC)
    assert isinstance(made, HistoryADLearner)
    return made.double()


def batches(n: int, size: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(size, 1, 28, 28, dtype=torch.float64, generator=generator) for _ in range(n)]


def run(made: HistoryADLearner, phase: Phase, data: list[Tensor]) -> list[dict[str, Tensor]]:
    """What the engine does in one phase of one epoch."""
    made.train()
    losses = []
    for i, x in enumerate(data):
        made.elapsed = i / len(data)
        losses.append(phase.step(x))
    if phase.after_epoch:
        phase.after_epoch()
    return losses


def trained(hp: HistoryAD = SMALL, steps: int = 8) -> tuple[HistoryADLearner, list[Phase]]:
    """A learner after its first phase; the phases that are left."""
    made = learner(hp)
    phases = made.phases()
    run(made, next(phases), batches(steps))
    return made, list(phases)


def test_adversarial_training_is_the_papers_loop() -> None:
    made = learner()
    g, d = copy.deepcopy(made.g), copy.deepcopy(made.d)
    data = batches(7)
    torch.manual_seed(5)
    losses = run(made, next(made.phases()), data)
    torch.manual_seed(5)
    adam_g = torch.optim.Adam(g.parameters(), betas=(0.5, 0.9))
    adam_d = torch.optim.Adam(d.parameters(), betas=(0.5, 0.9))
    for i, x in enumerate(data):
        for adam in (adam_g, adam_d):
            adam.param_groups[0]["lr"] = 5e-4 + (5e-5 - 5e-4) * i / 7
        real = 2 * x - 1
        fake = g(torch.randn(6, 5, dtype=torch.float64)).detach()
        gap = d(real).mean() - d(fake).mean()  # the critic falls on real images and rises on generated ones
        penalty = gradient_penalty(d, real, fake).mean()
        torch.testing.assert_close(losses[i], {"gap": gap, "penalty": penalty}, rtol=1e-9, atol=1e-12)
        adam_d.zero_grad()
        (gap + 10 * penalty).backward()
        adam_d.step()
        if i % 2 == 1:
            adam_g.zero_grad()
            d(g(torch.randn(6, 5, dtype=torch.float64))).mean().backward()  # the generator goes where it is low
            adam_g.step()
    for got, expected in ((made.g, g), (made.d, d)):
        for p, q in zip(got.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-10)
    assert losses[-1]["gap"] != losses[0]["gap"]


def test_the_critic_is_negative_on_real_images_and_positive_on_generated_ones() -> None:
    made = learner(replace(SMALL, n_critic=1000, lr=3e-3))
    x = batches(1, 16)[0]
    losses = run(made, next(made.phases()), [x] * 25)
    assert losses[-1]["gap"] < -0.1 < losses[0]["gap"]


def test_average_is_that_of_all_critics_at_the_saves() -> None:
    made = learner()
    phases = made.phases()
    seen: list[tuple[float, dict[str, Tensor]]] = []
    phase = next(phases)
    data = batches(16)
    for i, x in enumerate(data):  # t = 2 i / 16: a save every second step
        made.elapsed = i / 16
        if i % 2 == 0:
            seen.append((2 * i / 16, copy.deepcopy(dict(made.d.named_parameters()))))
        made.train()
        phase.step(x)
    next(phases)
    seen.append((2.0, dict(made.d.named_parameters())))
    weights = [exp(-1.5 * t) if t >= 0.5 else 0.0 for t, _ in seen]
    assert sum(w > 0 for w in weights) == 7
    for name, got in made.average.net.named_parameters():
        expected = sum(w * state[name] for w, (_, state) in zip(weights, seen, strict=True)) / sum(weights)
        torch.testing.assert_close(got, expected.detach(), rtol=1e-9, atol=1e-12)
        assert name == "last.bias" or not torch.equal(got, dict(made.d.named_parameters())[name])  # it never moves


def test_coarse_steps_count_every_save_that_they_pass() -> None:
    made = learner()
    for t in (0.0, 0.6, 1.3):  # saves at 0, .25 and .5, then .75, 1 and 1.25
        made.observe(t)
    expected = sum(exp(-1.5 * (t - 0.5)) for t in (0.5, 0.75, 1.0, 1.25))
    assert made.average.total.item() == pytest.approx(expected, rel=1e-9)
    assert made.saved.item() == 6


def test_states_of_the_generator_are_kept_up_to_the_bound() -> None:
    made, _ = trained(steps=16)
    assert made.history.states.shape == (6, made.history.states.shape[1])
    assert len({tuple(row.tolist()) for row in made.history.states}) > 3


def test_detector_step_descends_the_bounded_difference() -> None:
    made, phases = trained()
    assert [phase.name for phase in phases] == ["total variation"]
    slow = copy.deepcopy(made.d_tv)
    adam = torch.optim.Adam(slow.parameters())
    frozen = copy.deepcopy(made.history.states)
    data = batches(5)
    torch.manual_seed(3)
    losses = run(made, phases[0], data)
    torch.manual_seed(3)
    for i, x in enumerate(data):
        adam.param_groups[0]["lr"] = 1e-3 * (1 - 0.9 * i / 5)
        past = made.history.sample(made.g.eval(), torch.randn(6, 5, dtype=torch.float64), 3)
        normal, old = slow(2 * x - 1), slow(past)
        beyond = [(v.abs() - 1).clamp(min=0).square().mean() for v in (normal, old)]
        loss = normal.mean() - old.mean() + 10 * (beyond[0] + beyond[1]) / 2
        torch.testing.assert_close(losses[i]["total variation"], loss, rtol=1e-9, atol=1e-12)
        adam.zero_grad()
        loss.backward()
        adam.step()
    for p, q in zip(made.d_tv.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-10)
    assert torch.equal(made.history.states, frozen)
    assert losses[-1]["gap"] < losses[0]["gap"]  # low on normal images, high on the history


def test_case_two_widens_every_second_latent() -> None:
    made, _ = trained()
    wide = copy.deepcopy(made)
    wide.hp = replace(SMALL, spread=3.0)
    x = batches(1)[0]
    images = []
    for each in (made, wide):
        torch.manual_seed(9)
        images.append(each.past(x))
    per_image = (images[0] - images[1]).abs().flatten(1).mean(1)
    # three states make two images each, of which the second is from a wide code
    assert torch.equal(per_image[::2], torch.zeros(3, dtype=torch.float64))
    assert (per_image[1::2] > 1e-3).all()


def test_scaled_average_is_minus_one_on_normal_images_and_one_on_the_history() -> None:
    made, phases = trained(replace(SMALL, start=Averaged(), tv_epochs=0, tv_updates=0))
    assert [phase.name for phase in phases] == ["scale"]
    plain = copy.deepcopy(made.average.net)
    data = batches(4)
    torch.manual_seed(2)
    run(made, phases[0], data)
    torch.manual_seed(2)
    normal = torch.cat([made.d_tv(2 * x - 1) for x in data])
    past = torch.cat([made.d_tv(made.past(x)) for x in data])
    torch.testing.assert_close(normal.mean().item(), -1.0, rtol=1e-6, atol=0)
    torch.testing.assert_close(past.mean().item(), 1.0, rtol=1e-6, atol=0)
    before, after = plain(2 * data[0] - 1), made.d_tv(2 * data[0] - 1)
    assert torch.corrcoef(torch.stack([before, after]))[0, 1].abs() > 1 - 1e-9


def test_a_fresh_detector_is_not_the_average() -> None:
    fresh, _ = trained()
    averaged, phases = trained(replace(SMALL, start=Averaged(scaled=False)))
    assert [phase.name for phase in phases] == ["total variation"]
    for got, mean in zip(averaged.d_tv.parameters(), averaged.average.net.parameters(), strict=True):
        assert torch.equal(got, mean)
    assert not torch.equal(fresh.d_tv.last.weight, fresh.average.net.last.weight)


def test_without_any_training_the_detector_is_undecided() -> None:
    for start in (Fresh(), Averaged()):
        made = learner(replace(SMALL, start=start))
        list(made.phases())
        assert torch.equal(made.scorer()(batches(1)[0]), torch.zeros(6, dtype=torch.float64))


def test_vitals_are_generated_images_and_the_detectors_values() -> None:
    made, _ = trained()
    x = batches(1)[0]
    state = torch.get_rng_state()
    vitals = made.eval().vitals(x)
    assert torch.equal(torch.get_rng_state(), state)
    assert vitals["generated"].shape == x.shape
    torch.testing.assert_close(vitals["critic"], made.scorer()(x))
    assert all(value.flatten(1).std(0).max() > 0 for value in (vitals["generated"], vitals["critic"][:, None]))


def test_budgets() -> None:
    made = learner(replace(SMALL, epochs=2, updates=70, tv_epochs=3, tv_updates=90, batch_size=16))
    phases = [next(made.phases())]
    assert [(p.epochs, p.steps, p.batch_size) for p in phases] == [(2, 70, 16)]
    made, phases = trained(replace(SMALL, tv_epochs=3, tv_updates=90, batch_size=16))
    assert [(p.epochs, p.steps, p.batch_size) for p in phases] == [(3, 90, 16)]


@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 32, 32)])
def test_one_step_of_each_phase_at_full_size(spec: ImageSpec) -> None:
    hp = replace(load("history_ad_published"), n_critic=1, keep=2)
    assert isinstance(hp, HistoryAD)
    torch.manual_seed(0)
    made = hp.learner(spec)
    x = torch.rand(4, spec.channels, spec.height, spec.width)
    names = []
    for phase in made.phases():
        made.train()
        losses = phase.step(x)
        names.append(phase.name)
        assert all(loss.isfinite() for loss in losses.values())
        if phase.after_epoch:
            phase.after_epoch()
    assert names == ["gan", "scale", "total variation"]
    assert made.eval().scorer()(x).std() > 0


def test_settings_of_the_paper() -> None:
    published = load("history_ad_published")
    assert isinstance(published, HistoryAD)
    assert (published.epochs, published.alpha, published.lam, published.lr, published.saves) == (5, 1, 10, 5e-4, 50)
    assert published.beta * published.epochs == pytest.approx(3)  # beta counts in shares of the training, ADR 7
    assert (published.n_critic, published.penalty, published.width, published.spread) == (5, 10, 1, 1)
    assert published.start == Averaged()
    wide, init, default = load("history_ad_wide"), load("history_ad_init"), load("history_ad")
    assert wide == replace(default, spread=3.0)
    assert init == replace(default, start=Averaged(), tv_epochs=0, tv_updates=0)
    assert default == HistoryAD(alpha=0.1, beta=1.0, start=Fresh(), n_critic=3, updates=1800, tv_updates=3000)


@pytest.mark.parametrize(
    "bad",
    [
        *({"alpha": -0.1}, {"alpha": 3.5}, {"beta": -1.0}, {"lam": -1.0}, {"epochs": 0}, {"n_critic": 0}, {"keep": 0}),
        *({"few": 0}, {"saves": 0}, {"width": 0.0}, {"z": 0}, {"lr": 0.0}, {"tv_lr": 0.0}, {"spread": float("inf")}),
    ],
)
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        HistoryAD(**bad)


def test_known_anomalies_and_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="normal images only"):
        HistoryAD().learner(SPEC, known=torch.rand(2, 1, 28, 28))
    with pytest.raises(InputError, match="--size 28 or --size 32"):
        HistoryAD().learner(ImageSpec(1, 64, 64))
