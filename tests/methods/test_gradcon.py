"""GradCon: each step of the paper's objective against a slow oracle that keeps every gradient."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from amiss.catalog import load
from amiss.contracts import ImageSpec, InputError
from amiss.methods.averaged import Averaged
from amiss.methods.council import Council
from amiss.methods.ensemble import Ensemble
from amiss.methods.gradcon import GradCon, GradConLearner
from amiss.methods.pca import PCA
from amiss.methods.typical import Typical
from amiss.nets.conv_autoencoder import ConvAutoencoder, begin_at
from amiss.objectives.gradients import transposed_layers
from amiss.objectives.reconstruction import SquaredError
from amiss.scores.gradients import GradConScorer

SPEC = ImageSpec(1, 16, 16)


def learner(hp: GradCon) -> GradConLearner:
    torch.manual_seed(0)
    made = hp.learner(SPEC)
    assert isinstance(made, GradConLearner)
    return made.double()


def batches(n: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(5, 1, 16, 16, dtype=torch.float64) for _ in range(n)]


def slow_training(ae: ConvAutoencoder, hp: GradCon, data: list[Tensor]) -> tuple[list[Tensor], list[float]]:
    """The paper's loop, written out: all past gradients of J are kept and averaged anew (Eq. 6)."""
    adam = torch.optim.Adam(ae.parameters(), lr=hp.lr)
    layers = transposed_layers(ae.decoder)
    past: list[list[Tensor]] = []
    grad_losses = []
    for x in data:
        loss = F.mse_loss(ae(x), x)
        total = loss
        if past:
            cosines = []
            for i, layer in enumerate(layers):
                (g,) = torch.autograd.grad(loss, layer.weight, create_graph=True)
                mean = sum(step[i] for step in past) / len(past)
                cosines.append((g * mean).sum() / (g.norm() * mean.norm()))
            grad_loss = -sum(cosines) / len(cosines)
            grad_losses.append(grad_loss.item())
            total = loss + hp.alpha * grad_loss
        adam.zero_grad()
        total.backward()
        past.append([layer.weight.grad.clone() for layer in layers])
        adam.step()
    return [sum(step[i] for step in past) / len(past) for i in range(len(layers))], grad_losses


def test_training_is_the_papers_loop() -> None:
    hp = GradCon(alpha=0.3, centred=False)  # large, so that the gradient term matters within a few steps
    fast = learner(hp)
    slow = copy.deepcopy(fast.ae)
    data = batches(6)
    losses = [fast.step(x) for x in data]
    reference, grad_losses = slow_training(slow, hp, data)
    assert "grad" not in losses[0]  # L_grad is left out in iteration 1
    torch.testing.assert_close([loss["grad"].item() for loss in losses[1:]], grad_losses, rtol=1e-9, atol=0)
    for got, expected in zip(fast.direction.mean, reference, strict=True):
        torch.testing.assert_close(got.data, expected, rtol=1e-9, atol=1e-15)
    for got, expected in zip(fast.ae.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)
    assert max(grad_losses) - min(grad_losses) > 1e-3


def test_reference_is_the_mean_gradient_of_j_not_of_l() -> None:
    hp = GradCon(alpha=0.3)
    trained = learner(hp)
    mean = [torch.zeros_like(w) for w in trained.direction.weights]
    for k, x in enumerate(batches(4), start=1):
        recon = SquaredError()(x, trained.ae(x)).mean()
        gradients = torch.autograd.grad(recon, trained.direction.weights)
        mean = [m + (g - m) / k for m, g in zip(mean, gradients, strict=True)]
        trained.step(x)
    for of_j, of_l in zip(trained.direction.mean, mean, strict=True):
        assert (of_j - of_l).norm() > 1e-3 * of_l.norm()


def test_alpha_zero_is_the_plain_autoencoder() -> None:
    plain = learner(GradCon(alpha=0.0, centred=False))
    oracle = copy.deepcopy(plain.ae)
    adam = torch.optim.Adam(oracle.parameters(), lr=1e-3)
    for x in batches(4):
        losses = plain.step(x)
        assert set(losses) == {"recon", "latent"}
        adam.zero_grad()
        F.mse_loss(oracle(x), x).backward()
        adam.step()
    for got, expected in zip(plain.ae.parameters(), oracle.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-15)


def test_images_begin_at_the_brightness_of_the_first_batch() -> None:
    spec, x = ImageSpec(3, 16, 16), torch.rand(40, 3, 16, 16) * torch.tensor([0.1, 0.5, 1.0])[:, None, None]
    ae = ConvAutoencoder(spec)
    before = copy.deepcopy(ae)
    begin_at(ae.decoder, x)
    made = ae(x).mean((0, 2, 3))
    torch.testing.assert_close(made, x.mean((0, 2, 3)), rtol=0.2, atol=0)
    for (name, old), new in zip(before.named_parameters(), ae.parameters(), strict=True):
        assert torch.equal(old, new) == (name != "decoder.6.bias")
    begin_at(ae.decoder, torch.zeros(2, 3, 16, 16))
    assert ae.decoder[6].bias.sigmoid().tolist() == pytest.approx([0.02] * 3)


def test_only_the_first_step_centres() -> None:
    centred, plain = learner(GradCon(alpha=0.3, centred=True)), learner(GradCon(alpha=0.3, centred=False))
    plain.load_state_dict(centred.state_dict())
    first, second = batches(2)
    begin_at(plain.ae.decoder, first)
    for x in (first, second):
        centred.step(x)
        plain.step(x)
    for got, expected in zip(centred.ae.parameters(), plain.ae.parameters(), strict=True):
        assert torch.equal(got, expected)


def test_it_begins_at_mid_grey_and_centres_after_a_dead_start_only() -> None:
    default, grey = learner(GradCon()), learner(GradCon(centred=False))
    grey.load_state_dict(default.state_dict())
    x = batches(1)[0]
    default.step(x)
    grey.step(x)
    for got, expected in zip(default.ae.parameters(), grey.ae.parameters(), strict=True):
        assert torch.equal(got, expected)
    assert GradCon(alpha=0.1).again() == GradCon(alpha=0.1, centred=True)
    assert GradCon(centred=True).again() is None
    assert GradCon(centred=False).again() is None  # the paper's start, and nothing else


@pytest.mark.parametrize("variational", [False, True])
def test_its_vitals_hold_the_restored_images(variational: bool) -> None:
    made = learner(GradCon(variational=variational)).eval()
    x = batches(1)[0]
    assert torch.equal(made.vitals(x)["reconstruction"], made.ae(x))


def test_methods_of_methods_begin_anew_as_their_members() -> None:
    assert Ensemble(GradCon(), runs=2).again() == Ensemble(GradCon(centred=True), runs=2)
    assert Averaged(GradCon()).again() == Averaged(GradCon(centred=True))
    assert Typical(GradCon()).again() == Typical(GradCon(centred=True))
    assert Council((PCA(), GradCon())).again() == Council((PCA(), GradCon(centred=True)))
    for method in (Ensemble(PCA()), Averaged(PCA()), Typical(PCA()), Council((PCA(), GradCon(centred=True)))):
        assert method.again() is None


def test_variational_objective_is_cross_entropy_and_divergence_per_value() -> None:
    vae = learner(GradCon(variational=True)).eval()
    x = batches(1)[0]
    losses = vae.losses(x, create_graph=False)
    z, divergence = vae.ae.encode(x)
    torch.testing.assert_close(losses["recon"], F.binary_cross_entropy(vae.ae.decoder(z), x))
    torch.testing.assert_close(losses["latent"], divergence.mean())
    torch.testing.assert_close(vae.objective(losses), losses["recon"] + losses["latent"])


def test_score_is_recon_plus_four_alpha_times_the_gradient_loss() -> None:
    trained = learner(GradCon(alpha=0.05))
    data = batches(4)
    for x in data[:3]:
        trained.step(x)
    scorer = trained.eval().scorer()
    x = data[3]
    score, terms = scorer(x), scorer.terms(x)
    for j in range(len(x)):
        loss = F.mse_loss(trained.ae(x[j : j + 1]), x[j : j + 1])
        gradients = torch.autograd.grad(loss, trained.direction.weights)
        pairs = zip(gradients, trained.direction.mean, strict=True)
        cosines = [(g * r).sum() / (g.norm() * r.norm()) for g, r in pairs]
        expected = loss - 4 * 0.05 * sum(cosines) / 4
        torch.testing.assert_close(score[j], expected.detach(), rtol=1e-12, atol=0)
        for i, cosine in enumerate(cosines, start=1):
            torch.testing.assert_close(terms[f"grad.{i}"][j], -cosine, rtol=1e-12, atol=1e-14)
    assert score.std() > 0
    assert list(terms) == ["recon", "latent", "grad", "grad.1", "grad.2", "grad.3", "grad.4"]


def test_beta_can_be_given() -> None:
    scorer = GradCon(beta=1.5).learner(SPEC).scorer()
    assert scorer.weights == {"recon": 1.0, "grad": 1.5}
    assert load("cae").learner(SPEC).scorer().weights == {"recon": 1.0, "grad": 0.0}


def test_criterion_is_the_objective_of_held_out_images_and_leaves_no_trace() -> None:
    trained = learner(GradCon(alpha=0.3))
    data = batches(3)
    for x in data[:2]:
        trained.step(x)
    trained.eval()
    before = [p.grad.clone() for p in trained.ae.parameters()]
    value = trained.criterion(data[2])
    losses = trained.losses(data[2], create_graph=True)
    torch.testing.assert_close(value, losses["recon"] + 0.3 * losses["grad"])
    assert not value.requires_grad
    assert all(torch.equal(p.grad, g) for p, g in zip(trained.ae.parameters(), before, strict=True))


def test_a_decoder_with_batch_norm_is_refused_at_construction() -> None:
    ae = ConvAutoencoder(SPEC)
    ae.decoder[1] = torch.nn.BatchNorm2d(64)
    with pytest.raises(InputError, match="BatchNorm2d"):
        GradConScorer(ae, SquaredError(), [], 0.12)


def test_settings_of_the_paper() -> None:
    hp = GradCon()
    assert (hp.alpha, hp.beta, hp.lr, hp.batch_size) == (0.03, None, 1e-3, 64)
    assert hp.learner(SPEC).scorer().weights["grad"] == pytest.approx(0.12, rel=1e-15)
    published = load("gradcon_published")
    assert isinstance(published, GradCon)
    assert (published.epochs, published.centred, hp.centred) == (1000, False, None)


@pytest.mark.parametrize(
    "bad", [{"alpha": -0.1}, {"beta": -1.0}, {"lr": 0.0}, {"batch_size": 0}, {"epochs": -1}, {"alpha": float("nan")}]
)
def test_settings_out_of_range_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        GradCon(**bad)


def test_known_anomalies_are_refused() -> None:
    with pytest.raises(InputError, match="normal images only"):
        GradCon().learner(SPEC, known=torch.rand(2, 1, 16, 16))
