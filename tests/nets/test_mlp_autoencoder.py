"""The fully connected autoencoders: sizes as printed, activations, initial weights, and who is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from amiss.contracts import ImageSpec, InputError
from amiss.nets.mlp_autoencoder import ReluMLP, SigmoidMLP


@pytest.mark.parametrize("make", [SigmoidMLP(), ReluMLP()])
@pytest.mark.parametrize(("spec", "parameters"), [((1, 28, 28), 1_132_944), ((3, 32, 32), 3_478_144)])
def test_parameters_are_as_published(make, spec, parameters) -> None:
    assert sum(p.numel() for p in make(ImageSpec(*spec)).parameters()) == parameters


def kinds(ae: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in (*ae.encoder, *ae.decoder)]


def test_layers_are_the_papers_and_the_releases() -> None:
    sigmoid, relu = SigmoidMLP()(ImageSpec(1, 28, 28)), ReluMLP()(ImageSpec(1, 28, 28))
    assert kinds(sigmoid) == ["Flatten", *["Linear", "Sigmoid"] * 6, "Unflatten"]
    assert kinds(relu) == ["Flatten", *["Linear", "ReLU"] * 5, "Linear", "Unflatten"]
    for ae in (sigmoid, relu):
        sides = [layer.out_features for layer in (*ae.encoder, *ae.decoder) if isinstance(layer, nn.Linear)]
        assert sides == [512, 256, 128, 256, 512, 784]


@pytest.mark.parametrize("make", [SigmoidMLP(), ReluMLP()])
def test_initial_weights_are_glorot_normal_with_zero_bias(make) -> None:
    torch.manual_seed(0)
    ae = make(ImageSpec(1, 28, 28))
    for layer in ae.modules():
        if isinstance(layer, nn.Linear):
            wanted = math.sqrt(2 / (layer.in_features + layer.out_features))
            assert layer.weight.std().item() == pytest.approx(wanted, rel=0.02)
            kurtosis = (layer.weight / layer.weight.std()).pow(4).mean().item()
            assert kurtosis == pytest.approx(3, abs=0.2)  # of a uniform law it is 1.8
            assert (layer.bias == 0).all()


@pytest.mark.parametrize(("make", "bounded"), [(SigmoidMLP(breadth=0.1), True), (ReluMLP(breadth=0.1), False)])
def test_images_come_back_in_their_shape(make, bounded) -> None:
    torch.manual_seed(0)
    ae = make(ImageSpec(3, 8, 5))
    x = torch.rand(6, 3, 8, 5)
    y = ae(x)
    assert y.shape == x.shape
    assert ae.encoder(x).shape == (6, 13)
    assert ae(x[:0]).shape == (0, 3, 8, 5)
    assert bool(((y > 0) & (y < 1)).all()) == bounded
    torch.testing.assert_close(ae(x.contiguous(memory_format=torch.channels_last)), y)


def test_large_images_are_refused_with_a_way_out() -> None:
    SigmoidMLP(breadth=0.01)(ImageSpec(3, 64, 64))
    with pytest.raises(InputError, match=r"64x65 .* 12,480 values.* at most 12,288.*arae_conv.*--size"):
        SigmoidMLP()(ImageSpec(3, 64, 65))


@pytest.mark.parametrize("breadth", [0.0, -1.0, float("nan"), float("inf")])
def test_breadth_out_of_range_is_refused(breadth) -> None:
    with pytest.raises(InputError, match="breadth"):
        ReluMLP(breadth=breadth)(ImageSpec(1, 28, 28))
