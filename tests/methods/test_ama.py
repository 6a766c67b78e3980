"""AMA: the min-max objective step by step, its parts and ablations, its scores, its presets."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
import torch
from torch import Tensor

from amiss.adversaries.latents import DetachedSimplex, Scaled, Shell, Simplex
from amiss.adversaries.negatives import Decoded, Known, Reconstructed
from amiss.catalog import load
from amiss.contracts import ImageSpec, InputError
from amiss.methods.ama import AMA, AMALearner
from amiss.nets.sngan import frame
from amiss.objectives.mirrored import EveryPixel, SecondImage

SPEC = ImageSpec(1, 28, 28)
SMALL = {"width": 1 / 64, "floor": 4, "d": 6}
NOW = Decoded(Shell(-0.5), portion=0.5, start=0.0)


def learner(hp: AMA, known: Tensor | None = None) -> AMALearner:
    torch.manual_seed(0)
    return hp.learner(SPEC, known).double()


def images(n: int = 6, seed: int = 1) -> Tensor:
    return torch.rand(n, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def weights(made: AMALearner, *parts: str) -> list[Tensor]:
    return [p for part in parts for p in getattr(made, part).parameters()]


def of(total: Tensor, made: AMALearner, *parts: str) -> list[Tensor | None]:
    return list(torch.autograd.grad(total, weights(made, *parts), retain_graph=True, allow_unused=True))


def size(gradients: list[Tensor | None]) -> float:
    return sum(g.abs().sum().item() for g in gradients if g is not None)


def test_the_objective_is_the_papers_written_out() -> None:
    hp = AMA(**SMALL, lambda_inter=0.3, lambda_neg=0.7, negatives=NOW)
    ama = learner(hp)
    made, codes = ama.make(frame(images()))
    losses = ama.losses(made)

    def value(x: Tensor, y: Tensor) -> Tensor:
        return ama.critic(torch.cat([x, y], 1))

    x, (xhat, between) = made.x, made.others
    one, two = made.negatives
    first = sum(value(x[i : i + 1], x[i : i + 1]) - value(x[i : i + 1], xhat[i : i + 1]) for i in range(6)) / 6
    inter = sum(value(x[i : i + 1], x[i : i + 1]) - value(x[i : i + 1], between[i : i + 1]) for i in range(6)) / 6
    neg = sum(value(one[i : i + 1], one[i : i + 1]) - value(one[i : i + 1], two[i : i + 1]) for i in range(3)) / 3
    assert (len(one), codes.shape) == (3, (6, 6))
    assert torch.equal(one, x[:3])
    for name, expected in (("gap", first), ("interpolation", inter), ("negative", neg)):
        torch.testing.assert_close(losses[name], expected[0], rtol=1e-9, atol=1e-12)
        assert abs(losses[name].item()) > 1e-4
    torch.testing.assert_close(ama.objective(losses, made), (first + 0.3 * inter - 0.7 * neg)[0], rtol=1e-9, atol=1e-12)


def test_a_step_is_n_critic_ascents_and_one_descent_written_out() -> None:
    """The same with plain Adam on gradients of the negated objective, drawn from the same random numbers."""
    hp = AMA(**SMALL, n_critic=3, negatives=NOW, lambda_neg=0.2)
    fast, slow = learner(hp), learner(hp)
    critic = torch.optim.Adam(slow.critic.parameters(), hp.lr, (0.0, 0.9))
    coder = torch.optim.Adam(slow.encoder.parameters(), hp.lr, (0.5, 0.9))
    maker = torch.optim.Adam(slow.generator.parameters(), hp.lr, (0.0, 0.9))
    for batch in (images(seed=1), images(seed=2)):
        torch.manual_seed(7)
        found = fast.step(batch)
        torch.manual_seed(7)
        made, codes = slow.make(frame(batch))
        for _ in range(3):
            losses = slow.losses(made)
            x, y = torch.cat([made.x, made.negatives[0]]), torch.cat([made.others[0], made.negatives[1]])
            penalty = SecondImage()(slow.value, x, y).mean()
            gradients = of(10 * penalty - slow.objective(losses, made), slow, "critic")
            for p, g in zip(weights(slow, "critic"), gradients, strict=True):
                p.grad = g
            critic.step()
        norm = sum(code.square().sum().sqrt() for code in codes) / len(codes)
        total = slow.objective(slow.losses(made), made) + norm
        for p, g in zip(weights(slow, "encoder", "generator"), of(total, slow, "encoder", "generator"), strict=True):
            p.grad = g
        coder.step()
        maker.step()
        for name, expected in {**losses, "penalty": penalty, "norm": norm}.items():
            torch.testing.assert_close(found[name].detach(), expected.detach(), rtol=1e-9, atol=1e-12)
    for p, q in zip(fast.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)


def test_the_critic_raises_the_gap_and_the_autoencoder_lowers_it() -> None:
    """Each with the other held, on the same images: the sign of the game."""
    ama = learner(AMA(**SMALL, lambda_gp=0.1, lambda_reg=0.0, lr=1e-3))
    data = images(3)
    x = frame(data)
    made, _ = ama.make(x)
    fixed = made.detached()
    before = ama.objective(ama.losses(fixed), fixed).item()
    for _ in range(8):
        ama.adam_d.zero_grad()
        (-ama.objective(ama.losses(fixed), fixed)).backward()
        ama.adam_d.step()
    raised = ama.objective(ama.losses(fixed), fixed).item()
    assert raised > before + 0.01
    game = learner(AMA(**SMALL, lr=1e-3))
    for _ in range(4):
        game.step(data)
    weights_before = [p.clone() for p in game.critic.parameters()]
    made, _ = game.make(x)
    start = game.objective(game.losses(made), made).item()
    for _ in range(8):
        made, _ = game.make(x)
        total = game.objective(game.losses(made), made)
        game.adam_e.zero_grad()
        game.adam_g.zero_grad()
        torch.autograd.backward(total, inputs=weights(game, "encoder", "generator"))
        game.adam_e.step()
        game.adam_g.step()
    assert game.objective(game.losses(made), made).item() < start
    assert all(torch.equal(p, q) for p, q in zip(game.critic.parameters(), weights_before, strict=True))


def test_images_are_decoded_once_for_all_steps_of_the_critic() -> None:
    for hp, calls in (
        (AMA(n_critic=5, lambda_inter=0.0, **SMALL), 1),
        (AMA(n_critic=5, **SMALL), 2),
        (AMA(n_critic=5, lambda_neg=1.0, negatives=NOW, **SMALL), 3),
        (AMA(n_critic=5, lambda_neg=1.0, negatives=Known(start=0.0), **SMALL), 2),
    ):
        ama = learner(hp, images(2) if hp.semi_supervised else None)
        seen: list[int] = []
        ama.generator.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        ama.step(images())
        assert len(seen) == calls


def test_gradients_reach_the_autoencoder_through_the_simplex_as_in_the_paper_and_not_as_in_the_code() -> None:
    for interpolation, reaches in ((Simplex(), True), (DetachedSimplex(), False)):
        ama = learner(AMA(interpolation=interpolation, **SMALL))
        made, _ = ama.make(frame(images()))
        between = ama.losses(made)["interpolation"]
        for part in ("encoder", "generator"):
            assert (between.requires_grad and size(of(between, ama, part)) > 0) == reaches
        assert size(of(between, ama, "critic")) > 0


def test_the_codes_interpolation_is_the_mean_of_three_pairings() -> None:
    ama = learner(AMA(interpolation=DetachedSimplex(), **SMALL))
    made, _ = ama.make(frame(images()))
    assert len(made.others) == 4
    same = ama.value(made.x, made.x)
    expected = sum((same - ama.value(made.x, y)).mean() for y in made.others[1:]) / 3
    torch.testing.assert_close(ama.losses(made)["interpolation"], expected, rtol=1e-9, atol=1e-12)


def test_atypical_images_are_decoded_with_held_statistics_and_teach_the_generator() -> None:
    ama = learner(AMA(lambda_neg=1.0, lambda_inter=0.0, negatives=NOW, **SMALL))
    ama.step(images())
    statistics = [b.clone() for b in chain(ama.encoder.buffers(), ama.generator.buffers())]
    torch.manual_seed(3)
    made, _ = ama.make(frame(images(seed=2)))
    without = learner(AMA(lambda_inter=0.0, **SMALL))
    without.load_state_dict(ama.state_dict())
    assert ama.encoder.training
    assert ama.generator.training
    moved = [b.clone() for b in chain(ama.encoder.buffers(), ama.generator.buffers())]
    assert any(not torch.equal(a, b) for a, b in zip(statistics, moved, strict=True))
    assert size(of(made.negatives[1].sum(), ama, "generator")) > 0
    tracked = [m.num_batches_tracked.item() for m in ama.generator.modules() if hasattr(m, "num_batches_tracked")]
    assert set(tracked) == {2}  # one for each batch of reconstructions


def test_negatives_of_the_code_take_the_place_of_images_and_share_their_mean() -> None:
    part = Reconstructed(Scaled(), portion=0.5, start=0.0)
    ama = learner(AMA(lambda_neg=5.0, lambda_inter=0.2, negatives=part, **SMALL))
    made, codes = ama.make(frame(images()))
    one, two = made.negatives
    assert (len(made.x), len(one), len(two), len(codes)) == (3, 3, 3, 3)
    assert not one.requires_grad
    losses = ama.losses(made)
    y = torch.tensor([1.0] * 3 + [-5.0] * 3, dtype=torch.float64)  # the code's labels
    x, xhat = torch.cat([made.x, one]), torch.cat([made.others[0], two])
    expected = (y * (ama.value(x, x) - ama.value(x, xhat))).mean() + 0.2 * losses["interpolation"]
    torch.testing.assert_close(ama.objective(losses, made), expected, rtol=1e-9, atol=1e-12)


def test_known_anomalies_stand_in_the_negative_pairs() -> None:
    known = images(2, seed=9)
    hp = AMA(lambda_neg=0.5, negatives=Known(portion=0.5, start=0.0), **SMALL)
    ama = learner(hp, known)
    assert hp.semi_supervised
    made, _ = ama.make(frame(images()))
    one, two = made.negatives
    assert len(made.x) == 6
    framed = frame(known)
    assert all(any(torch.equal(image, k) for k in framed) for image in one)
    assert size(of(two.sum(), ama, "encoder")) > 0
    assert ama.step(images())["negative"].isfinite()


def test_without_known_anomalies_a_semi_supervised_model_can_be_loaded_and_not_trained() -> None:
    hp = load("ama_semi")
    assert hp.semi_supervised
    made = hp.learner(SPEC)
    assert made.scorer()(images(2).float()).shape == (2,)
    with pytest.raises(InputError, match="known anomalies"):
        next(made.phases())


def test_known_anomalies_are_refused_where_they_would_be_ignored() -> None:
    for hp in (AMA(), AMA(negatives=Known()), AMA(lambda_neg=1.0)):
        assert not hp.semi_supervised
        with pytest.raises(InputError, match="ama learns from normal images only"):
            hp.learner(SPEC, images(2))


def test_ablations_change_what_they_say() -> None:
    full = learner(AMA(lambda_neg=1.0, negatives=NOW, **SMALL))
    assert set(full.step(images())) == {"gap", "interpolation", "negative", "penalty", "norm"}
    plain = learner(AMA(mirrored=False, **SMALL))
    x, y, z = (frame(images(seed=s)) for s in (1, 2, 3))
    assert torch.equal(plain.value(x, z), plain.value(y, z))
    assert not torch.equal(full.value(x, z), full.value(y, z))
    assert "interpolation" not in learner(AMA(lambda_inter=0.0, **SMALL)).step(images())
    assert "negative" not in learner(AMA(lambda_neg=0.0, negatives=NOW, **SMALL)).step(images())
    late = learner(AMA(lambda_neg=1.0, negatives=replace(NOW, start=0.5), **SMALL))
    assert "negative" not in late.step(images())
    late.elapsed = 0.5
    assert "negative" in late.step(images())


def test_every_part_of_the_score_is_a_term_and_the_observed_moments_are_those_of_r() -> None:
    for two_sided, name in ((False, "R"), (True, "A")):
        ama = learner(AMA(two_sided=two_sided, **SMALL))
        for seed in range(3):
            ama.step(images(seed=seed))
        data = images(10, seed=4)
        for part in data.split(4):
            ama.train()
            ama.observe(part)
        scorer = ama.eval().scorer()
        terms = scorer.terms(data)
        assert list(terms) == ["R", "pixel", "tv", "A"]
        assert torch.equal(scorer(data), terms[name])
        assert scorer.weights == {name: 1.0}
        r = terms["R"].detach()
        torch.testing.assert_close(ama.moments.mean, r.mean(), rtol=1e-9, atol=0)
        torch.testing.assert_close(ama.moments.std, r.std(correction=0), rtol=1e-9, atol=0)
        torch.testing.assert_close(terms["A"].detach(), ((r - r.mean()) / r.std(correction=0)) ** 2, rtol=1e-9, atol=0)
        assert r.std() > 0


def test_phases() -> None:
    train, observe = AMA(epochs=3, batch_size=7, updates=50).learner(SPEC).phases()
    assert (train.epochs, train.batch_size, train.steps) == (3, 7, 50)
    assert (observe.name, observe.epochs, observe.steps) == ("observe", 1, 0)


def test_the_learning_rate_falls_at_the_milestones() -> None:
    ama = learner(AMA(milestones=(3, 6), lr=1e-3, **SMALL))
    for clock, expected in ((0.0, 1e-3), (2.9, 1e-3), (3.0, 1e-4), (5.9, 1e-4), (9.0, 1e-5)):
        ama.clock = clock
        ama.step(images())
        for adam in (ama.adam_e, ama.adam_g, ama.adam_d):
            assert adam.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-12)
    assert ama.adam_e.param_groups[0]["betas"] == (0.5, 0.9)
    assert ama.adam_g.param_groups[0]["betas"] == ama.adam_d.param_groups[0]["betas"] == (0.0, 0.9)


def test_vitals() -> None:
    ama = learner(AMA(**SMALL)).eval()
    x = images(5)
    vitals = ama.vitals(x)
    assert {name: tuple(v.shape) for name, v in vitals.items()} == {
        "latent": (5, 6),
        "generated": (5, 1, 32, 32),
        "critic": (5,),
    }
    torch.testing.assert_close(vitals["critic"], ama.value(frame(x), vitals["generated"]))


def test_presets_are_the_papers_the_codes_and_the_ablations() -> None:
    default = AMA()
    assert (default.lambda_neg, default.n_critic, default.spectral, default.two_sided) == (0.0, 2, False, False)
    assert (default.width, default.floor, default.d, default.batch_size, default.updates) == (1 / 16, 16, 64, 32, 600)
    published, released = load("ama_published"), load("ama_released")
    assert isinstance(published, AMA)
    assert isinstance(released, AMA)
    for hp in (published, released):
        assert (hp.width, hp.d, hp.n_critic, hp.batch_size, hp.epochs) == (1.0, 128, 5, 256, 100)
        assert (hp.lr, hp.milestones, hp.lambda_gp, hp.lambda_reg, hp.lambda_inter) == (
            3e-4,
            (30, 60, 90),
            10,
            1,
            0.2,
        )
        assert hp.two_sided
        assert hp.spectral
        assert hp.mirrored
    assert published.interpolation == Simplex(3)
    assert published.negatives == Decoded(Shell(-0.5, measured=False), portion=0.1, start=0.1)
    assert published.penalty == SecondImage()
    assert (published.lambda_neg, released.lambda_neg) == (0.1, 1.0)
    assert released.interpolation == DetachedSimplex()
    assert released.negatives == Reconstructed(Scaled(inward=True), portion=0.1, start=0.1)
    assert released.penalty == EveryPixel()
    composed = load("ama_composed")
    assert (composed.mirrored, composed.two_sided) == (True, True)  # each of the four can be taken away
    assert min(composed.lambda_inter, composed.lambda_neg) > 0


@pytest.mark.parametrize("name", ["ama_published", "ama_released"])
def test_a_step_at_full_size_runs(name: str) -> None:
    hp = replace(load(name), n_critic=1)
    torch.manual_seed(0)
    ama = hp.learner(ImageSpec(3, 32, 32))
    ama.elapsed = 0.5
    sizes = [sum(p.numel() for p in part.parameters()) for part in (ama.encoder, ama.generator, ama.critic)]
    assert sizes == [1_183_616, 4_276_739, 1_057_664]
    losses = ama.step(torch.rand(2, 3, 32, 32))
    assert "negative" in losses
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize(
    "bad",
    [{"lambda_gp": -1.0}, {"lambda_neg": float("nan")}, {"width": 0.0}, {"n_critic": 0}, {"d": 0}, {"batch_size": 1}],
)
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        AMA(**bad)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="--size 28 or --size 32"):
        AMA().learner(ImageSpec(1, 64, 64))
