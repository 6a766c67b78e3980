"""Per-image gradient cosines against one-image-at-a-time autograd, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError
from amiss.nets.conv_autoencoder import ConvAutoencoder, conv_decoder
from amiss.objectives.gradients import gradient_cosines, misalignment, transposed_layers, upsample
from amiss.objectives.reconstruction import CrossEntropy, ReconstructionLoss, SquaredError

LOSSES: list[ReconstructionLoss] = [SquaredError(), CrossEntropy()]


def setting(
    spec: ImageSpec, batch: int, dtype: torch.dtype = torch.float64
) -> tuple[ConvAutoencoder, Tensor, list[Tensor]]:
    ae = ConvAutoencoder(spec).to(dtype)
    reference = [torch.randn_like(layer.weight) for layer in transposed_layers(ae.decoder)]
    return ae, torch.rand(batch, spec.channels, spec.height, spec.width, dtype=dtype), reference


def oracle(ae: ConvAutoencoder, x: Tensor, loss: ReconstructionLoss, reference: list[Tensor]) -> tuple[Tensor, Tensor]:
    """One image at a time: forward, backward, cosine with the reference; biases left out."""
    errors, cosines = [], []
    weights = [layer.weight for layer in transposed_layers(ae.decoder)]
    for image in x:
        error = loss(image[None], ae(image[None])).sum()
        gradients = torch.autograd.grad(error, weights)
        errors.append(error.detach())
        cosines.append(
            torch.stack([(g * r).sum() / (g.norm() * r.norm()) for g, r in zip(gradients, reference, strict=True)])
        )
    return torch.stack(errors), torch.stack(cosines)


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.sampled_from([1, 3]),
    height=st.sampled_from([16, 28, 32, 64]),
    width=st.sampled_from([16, 28, 32, 50]),
    loss=st.sampled_from(LOSSES),
    seed=st.integers(0, 2**31),
)
def test_equals_autograd_one_image_at_a_time_in_float64(
    batch: int, channels: int, height: int, width: int, loss: ReconstructionLoss, seed: int
) -> None:
    torch.manual_seed(seed)
    ae, x, reference = setting(ImageSpec(channels, height, width), batch)
    recon, cosines = gradient_cosines(ae.decoder, ae.encoder(x), x, loss, reference)
    expected_recon, expected = oracle(ae, x, loss, reference)
    torch.testing.assert_close(recon, expected_recon, rtol=1e-12, atol=0)
    # A cosine near zero is a difference of large terms, so its error is relative to the norms: to one.
    torch.testing.assert_close(torch.stack(cosines, 1), expected, rtol=1e-12, atol=1e-14)
    assert expected.abs().min() > 0


def test_float32_stays_within_a_millionth_for_all_but_images_at_a_kink() -> None:
    torch.manual_seed(0)
    ae, x, reference = setting(ImageSpec(1, 28, 28), 200)
    _, expected = oracle(ae, x, SquaredError(), reference)
    single = [r.float() for r in reference]
    _, cosines = gradient_cosines(ae.float().decoder, ae.encoder(x.float()), x.float(), SquaredError(), single)
    error = (torch.stack(cosines, 1).double() - expected).abs().amax(1)
    assert (error < 1e-6).double().mean() >= 0.99
    assert error.max() > 0


def test_an_empty_batch_gives_empty_results() -> None:
    ae, x, reference = setting(ImageSpec(1, 28, 28), 0)
    recon, cosines = gradient_cosines(ae.decoder, ae.encoder(x), x, SquaredError(), reference)
    assert recon.shape == (0,)
    assert [c.shape for c in cosines] == [(0,)] * 4


def test_zero_gradient_and_zero_reference_give_zero_not_nan() -> None:
    ae, x, reference = setting(ImageSpec(1, 28, 28), 2)
    nothing = [torch.zeros_like(r) for r in reference]
    _, cosines = gradient_cosines(ae.decoder, ae.encoder(x), x, SquaredError(), nothing)
    assert torch.equal(torch.stack(cosines), torch.zeros(4, 2, dtype=torch.float64))
    perfect = ae(x).detach()
    recon, cosines = gradient_cosines(ae.decoder, ae.encoder(x), perfect, SquaredError(), reference)
    assert torch.stack(cosines).isfinite().all()
    assert recon.max() < 1e-30


def test_biases_do_not_enter() -> None:
    torch.manual_seed(1)
    ae, x, reference = setting(ImageSpec(1, 28, 28), 3)
    _, cosines = gradient_cosines(ae.decoder, ae.encoder(x), x, SquaredError(), reference)
    parameters = [p for layer in transposed_layers(ae.decoder) for p in (layer.weight, layer.bias)]
    error = SquaredError()(x[:1], ae(x[:1])).sum()
    gradients = torch.autograd.grad(error, parameters)
    for i in range(4):
        joined = torch.cat([gradients[2 * i].flatten(), gradients[2 * i + 1].flatten()])
        bias = torch.zeros(gradients[2 * i + 1].numel(), dtype=torch.float64)
        with_bias = torch.cosine_similarity(joined, torch.cat([reference[i].flatten(), bias]), dim=0)
        assert abs(with_bias - cosines[i][0]) > 1e-9


def test_is_differentiable_by_the_image() -> None:
    torch.manual_seed(2)
    ae, x, reference = setting(ImageSpec(1, 16, 16), 2)

    def score(v: Tensor) -> Tensor:
        return torch.stack(gradient_cosines(ae.decoder, ae.encoder(v), v, SquaredError(), reference)[1]).sum()

    x.requires_grad_()
    (gradient,) = torch.autograd.grad(score(x), x)
    direction, h = torch.randn_like(x), 1e-8  # small enough to cross no kink of a ReLU
    with torch.no_grad():
        numeric = (score(x + h * direction) - score(x - h * direction)) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), numeric, rtol=1e-6, atol=0)


def test_misalignment_is_the_negative_mean_cosine() -> None:
    a = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])]
    b = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, -5.0])]
    assert misalignment(a, a).item() == -1
    assert misalignment(a, b).item() == 0
    assert misalignment(a, [b[0], torch.tensor([1.0, 0.0])]).item() == -0.5


@pytest.mark.parametrize("padding", [1, 2, (1, 2)])
def test_upsample_is_the_transposed_convolution(padding: int | tuple[int, int]) -> None:
    layer = nn.ConvTranspose2d(5, 3, 4, stride=2, padding=padding).double()
    x = torch.randn(2, 5, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(upsample(layer, x), layer(x), rtol=1e-12, atol=1e-12)


def test_upsample_leaves_other_kernels_to_torch() -> None:
    layer = nn.ConvTranspose2d(2, 3, 3, stride=1)
    x = torch.randn(1, 2, 4, 4)
    assert torch.equal(upsample(layer, x), layer(x))


def refused() -> list[tuple[str, nn.Sequential]]:
    up, end = nn.ConvTranspose2d(64, 8, 4, 2, 1), nn.Sigmoid()
    good = conv_decoder(ImageSpec(1, 28, 28))
    return [
        ("BatchNorm2d", nn.Sequential(up, nn.BatchNorm2d(8), end)),
        ("LeakyReLU", nn.Sequential(up, nn.LeakyReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1), end)),
        ("Conv2d", nn.Sequential(nn.Conv2d(64, 1, 3), end)),
        ("groups=2", nn.Sequential(nn.ConvTranspose2d(64, 8, 4, 2, 1, groups=2), end)),
        ("dilation", nn.Sequential(nn.ConvTranspose2d(64, 8, 4, 2, 1, dilation=2), end)),
        ("output_padding", nn.Sequential(nn.ConvTranspose2d(64, 8, 4, 2, 1, output_padding=1), end)),
        ("Sigmoid", nn.Sequential(*good[:-1])),
        ("Sigmoid", nn.Sequential()),
    ]


@pytest.mark.parametrize(("name", "decoder"), refused())
def test_other_decoders_are_refused_by_name(name: str, decoder: nn.Sequential) -> None:
    with pytest.raises(InputError, match=name):
        transposed_layers(decoder)


@pytest.mark.parametrize("loss", LOSSES)
def test_delta_is_the_derivative_by_the_pre_activation(loss: ReconstructionLoss) -> None:
    x = torch.rand(3, 2, 4, 4, dtype=torch.float64)
    a = torch.randn_like(x, requires_grad=True)
    (expected,) = torch.autograd.grad(loss(x, a.sigmoid()).sum(), a)
    torch.testing.assert_close(loss.delta(x, a.sigmoid()).detach(), expected, rtol=1e-12, atol=1e-15)


def test_losses_are_means_over_values() -> None:
    x, y = torch.rand(4, 1, 5, 5, dtype=torch.float64), torch.rand(4, 1, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(
        SquaredError()(x, y), torch.stack([((a - b) ** 2).mean() for a, b in zip(x, y, strict=True)])
    )
    entropy = -(x * y.log() + (1 - x) * (1 - y).log())
    torch.testing.assert_close(CrossEntropy()(x, y), entropy.mean((1, 2, 3)))
