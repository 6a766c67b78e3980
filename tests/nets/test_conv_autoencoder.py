"""The autoencoders of GradCon: sizes as printed, and every supported size comes back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amiss.contracts import ImageSpec, InputError
from amiss.nets.conv_autoencoder import ConvAutoencoder, ConvVAE, code_size, decoder_paddings

even = st.integers(8, 128).map(lambda half: 2 * half)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("channels", "parameters"), [(1, 230_721), (3, 232_771)])
@pytest.mark.parametrize("side", [28, 32, 64])
def test_parameters_are_those_of_the_authors_code(channels: int, parameters: int, side: int) -> None:
    assert count(ConvAutoencoder(ImageSpec(channels, side, side))) == parameters


def test_layers_at_28_are_the_authors() -> None:
    ae = ConvAutoencoder(ImageSpec(1, 28, 28))
    sizes, h = [], torch.rand(1, 1, 28, 28)
    for layer in (*ae.encoder, *ae.decoder):
        h = layer(h)
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            sizes.append(h.shape[-1])
    assert sizes == [15, 8, 5, 3, 4, 8, 14, 28]
    assert ae.encoder(torch.rand(2, 1, 28, 28)).shape == (2, 64, 3, 3)
    assert isinstance(ae.encoder[-1], torch.nn.ReLU)
    assert decoder_paddings(28) == (2, 1, 2, 1)
    assert decoder_paddings(32) == (2, 1, 1, 1)


@given(side=even)
def test_decoder_paddings_lead_back_to_every_even_side(side: int) -> None:
    h = code_size(side)
    for padding in decoder_paddings(side):
        assert padding in (1, 2)
        h = 2 * h + 2 - 2 * padding
    assert h == side


@settings(max_examples=10, deadline=None)
@given(height=even.filter(lambda s: s <= 64), width=even.filter(lambda s: s <= 64), channels=st.sampled_from([1, 3]))
@pytest.mark.parametrize("net", [ConvAutoencoder, ConvVAE])
def test_reconstruction_has_the_shape_of_the_image(
    net: type[ConvAutoencoder | ConvVAE], height: int, width: int, channels: int
) -> None:
    x = torch.rand(2, channels, height, width)
    y = net(ImageSpec(channels, height, width))(x)
    assert y.shape == x.shape
    assert 0 < y.min() < y.max() < 1


def test_256_pixels_are_supported_at_a_bounded_size() -> None:
    assert count(ConvVAE(ImageSpec(3, 256, 256))) < 35_000_000


@pytest.mark.parametrize("side", [8, 14, 29, 258])
def test_other_sizes_are_refused_by_name(side: int) -> None:
    with pytest.raises(InputError, match=rf"28x{side} .* even and from 16 to 256"):
        ConvAutoencoder(ImageSpec(1, 28, side))


def test_variational_code_is_sampled_in_training_only() -> None:
    vae = ConvVAE(ImageSpec(1, 28, 28))
    x = torch.rand(3, 1, 28, 28)
    assert not torch.equal(vae(x), vae(x))
    vae.eval()
    assert torch.equal(vae(x), vae(x))


def test_divergence_is_that_of_two_gaussians() -> None:
    vae = ConvVAE(ImageSpec(1, 28, 28)).double().eval()
    x = torch.rand(3, 1, 28, 28, dtype=torch.float64)
    h = vae.encoder(x).flatten(1)
    mean, log_variance = vae.mean(h), vae.log_variance(h)
    normal = torch.distributions.Normal
    oracle = torch.distributions.kl_divergence(
        normal(mean, (0.5 * log_variance).exp()), normal(torch.zeros_like(mean), torch.ones_like(mean))
    ).sum(1)
    torch.testing.assert_close(vae.encode(x)[1] * 784, oracle, rtol=1e-9, atol=0)
    assert oracle.std() > 0
