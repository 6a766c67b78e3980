"""Gradients of a decoder's weights as representations (Kwon et al., ECCV 2020): their misalignment with a reference.

In training the gradient is that of a batch, and autograd takes it. In scoring it is that of each image alone; there it
is written out as forward operations over the batch, which needs no autograd, runs at a small multiple of a forward
pass, can be exported, and is itself differentiable.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amiss.contracts import InputError
from amiss.objectives.reconstruction import ReconstructionLoss
from amiss.sharing import averaged

EPS = 1e-8
"""Norms below this count as this, as in torch's cosine similarity."""

CACHED = 64
"""From this many numbers in a row of a patch on, rows are taken one at a time, so that they stay in the cache."""


def misalignment(gradients: Sequence[Tensor], reference: Sequence[Tensor]) -> Tensor:
    """Negative mean cosine over layers between two lists of gradients, a scalar in [-1, 1].  (Eq. 6)"""
    cosines = [
        F.cosine_similarity(g.flatten(), r.flatten(), dim=0, eps=EPS) for g, r in zip(gradients, reference, strict=True)
    ]
    return -torch.stack(cosines).mean()


def transposed_layers(decoder: nn.Sequential) -> list[nn.ConvTranspose2d]:
    """Return the decoder's transposed convolutions, next to the code first.

    Raises InputError unless the decoder alternates plain ConvTranspose2d with ReLU and ends in Sigmoid. A layer that
    mixes images, as batch normalisation does, has no gradient of one image alone.
    """
    layers: list[nn.ConvTranspose2d] = []
    last = len(decoder) - 1
    for i, module in enumerate(decoder):
        wanted = nn.ConvTranspose2d if i % 2 == 0 else nn.Sigmoid if i == last else nn.ReLU
        plain = not isinstance(module, nn.ConvTranspose2d) or (
            module.groups == 1
            and module.dilation == (1, 1)
            and module.output_padding == (0, 0)
            and module.padding_mode == "zeros"
        )
        if type(module) is not wanted or not plain:
            raise InputError(
                f"layer {i} of the decoder is {module}, which per-image gradients do not support: the decoder must "
                f"alternate ConvTranspose2d (no groups, dilation or output padding) with ReLU and end in Sigmoid"
            )
        if isinstance(module, nn.ConvTranspose2d):
            layers.append(module)
    if last % 2 == 0 or not layers:
        raise InputError(f"the decoder ends in {decoder[last] if layers else 'nothing'}: it must end in Sigmoid")
    return layers


class Direction(nn.Module):
    """The mean over all iterations of a decoder's weight gradients of J, and how far a batch's gradient is from it."""

    iterations: Tensor

    def __init__(self, decoder: nn.Sequential) -> None:
        """Start without iterations; raises InputError for a decoder that `transposed_layers` refuses."""
        super().__init__()
        self.weights = [layer.weight for layer in transposed_layers(decoder)]  # weights only, decoder only
        self.mean = nn.ParameterList(nn.Parameter(torch.zeros_like(w), requires_grad=False) for w in self.weights)
        self.register_buffer("iterations", torch.zeros((), dtype=torch.int64))

    def misalignment(self, loss: Tensor, create_graph: bool) -> Tensor | None:
        """L_grad of the scalar reconstruction loss, a scalar; None in the first iteration, which has no past."""
        if not self.iterations:
            return None
        gradients = torch.autograd.grad(loss, self.weights, create_graph=create_graph, retain_graph=True)
        return misalignment(averaged(*gradients), list(self.mean))  # Eq. 6, of the whole batch's gradient

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights' gradients, of J since its backward pass, into the mean of all so far."""
        self.iterations += 1
        for mean, weight in zip(self.mean, self.weights, strict=True):
            mean += (weight.grad - mean) / self.iterations


def gradient_cosines(
    decoder: nn.Sequential, code: Tensor, x: Tensor, error: ReconstructionLoss, reference: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Reconstruction error of each image, and the cosine of its own weight gradients with the reference.

    decoder: alternating transposed convolutions and ReLUs, ending in Sigmoid (`transposed_layers` checks it).
    code: decoder inputs (B, C_1, h, w). x: images (B, C, H, W) in [0, 1]. reference: a tensor per layer, shaped as its
    weight.
    Returns the errors (B,) and one (B,) per layer, next to the code first; biases do not enter.
    """
    layers = transposed_layers(decoder)
    inputs, y = _forward(layers, code)
    cosines: list[Tensor] = []
    delta = error.delta(x, y)
    for i in reversed(range(len(layers))):
        # Not norm(): over this many float32 values it is off by 1e-6, where sum() adds pairwise.
        unit = reference[i] / reference[i].square().sum().clamp_min(EPS**2).sqrt()
        dot, square, back = _layer(layers[i], inputs[i], delta, unit, propagate=i > 0)
        cosines.append(dot / square.clamp_min(EPS**2).sqrt())
        if i > 0:
            delta = torch.where(inputs[i] > 0, back, 0)
    return error(x, y), cosines[::-1]


def _forward(layers: Sequence[nn.ConvTranspose2d], code: Tensor) -> tuple[list[Tensor], Tensor]:
    """Inputs of all layers, channels last in memory, and the output in (0, 1)."""
    inputs = [code.contiguous(memory_format=torch.channels_last)]
    for layer in layers[:-1]:
        inputs.append(layer(inputs[-1]).relu())
    return inputs, upsample(layers[-1], inputs[-1]).sigmoid()


def _layer(
    layer: nn.ConvTranspose2d, x: Tensor, delta: Tensor, unit: Tensor, *, propagate: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Of one layer: <G, unit> (B,), |G|^2 (B,), and the derivative by the layer's input (B, C_in, h, w).

    G (C_in, C_out k k) is the weight gradient of one image: X^T P, with the input X (h w, C_in) and the patches P of
    the output's derivative (h w, k k C_out). The squared norm comes from G or from the Gram matrices X X^T and P P^T,
    whichever needs fewer multiplications; with the latter a convolution with `unit` gives the inner product.
    """
    c_in, (kh, kw) = layer.in_channels, layer.kernel_size
    width, positions = layer.out_channels * kh * kw, x.shape[2] * x.shape[3]
    rows, padded = x.permute(0, 2, 3, 1).flatten(1, 2), _padded(layer, delta)
    if positions * (c_in + width) < c_in * width:
        patches = _patches(layer, padded, x, range(kh))
        square = (torch.bmm(rows, rows.transpose(1, 2)) * torch.bmm(patches, patches.transpose(1, 2))).sum((1, 2))
        both = _correlate(layer, delta, torch.cat([layer.weight, unit]) if propagate else unit)
        return (both[:, -c_in:] * x).sum((1, 2, 3)), square, both[:, :c_in]
    dot, square = x.new_zeros(x.shape[0]), x.new_zeros(x.shape[0])
    cached = kw * layer.out_channels >= CACHED and not torch.compiler.is_exporting()
    step = 1 if cached else kh
    for first in range(0, kh, step):
        gradient = torch.bmm(rows.transpose(1, 2), _patches(layer, padded, x, range(first, first + step))).flatten(1)
        dot = dot + gradient @ unit[:, :, first : first + step].permute(0, 2, 3, 1).flatten()
        square = square + gradient.square().sum(1)
    return dot, square, _correlate(layer, delta, layer.weight) if propagate else delta


def _correlate(layer: nn.ConvTranspose2d, delta: Tensor, weight: Tensor) -> Tensor:
    """The transpose of the layer: a convolution by a weight shaped (any, C_out, k, k)."""
    weight = weight.contiguous(memory_format=torch.channels_last)
    return F.conv2d(delta, weight, stride=layer.stride, padding=layer.padding)


def _padded(layer: nn.ConvTranspose2d, delta: Tensor) -> Tensor:
    """The output's derivative (B, C, H, W) with the layer's padding around it, channels last: (B, H', W', C)."""
    ph, pw = _padding(layer)
    return F.pad(delta.permute(0, 2, 3, 1), (0, 0, pw, pw, ph, ph)).contiguous()


def _patches(layer: nn.ConvTranspose2d, t: Tensor, x: Tensor, rows: range) -> Tensor:
    """Some rows of the patches of a padded derivative t (B, H', W', C) that each position of x (B, C_in, h, w) feeds.

    Returns (B, h w, rows k C), its last axis in the order row, column, channel.
    """
    h, w, kw, (sh, sw) = x.shape[2], x.shape[3], layer.kernel_size[1], layer.stride
    n, height, width, c = t.shape
    if torch.compiler.is_exporting():
        return _sliced(t, rows, range(kw), (h, w), (sh, sw))
    # A row of a patch is one run of kw * C numbers in memory, so a strided view copies it at once.
    strides = (height * width * c, sh * width * c, sw * c, width * c, 1)
    view = t.as_strided((n, h, w, len(rows), kw * c), strides, t.storage_offset() + rows.start * width * c)
    return view.reshape(n, h * w, len(rows) * kw * c)


def _sliced(t: Tensor, rows: range, columns: range, size: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """The same as slices, for exporting, where there are no strides.

    Where the kernel is a multiple of the stride, whole blocks of a stride's rows and columns are taken at once.
    """
    (h, w), (sh, sw), (n, height, width, c) = size, stride, t.shape
    if len(rows) % sh or len(columns) % sw or rows.start:
        taken = (t[:, a : a + sh * (h - 1) + 1 : sh] for a in rows)
        return torch.cat([r[:, :, b : b + sw * (w - 1) + 1 : sw] for r in taken for b in columns], 3).flatten(1, 2)
    down = t.reshape(n, height // sh, sh, width, c)
    down = torch.cat([down[:, a : a + h] for a in range(len(rows) // sh)], 2)  # (B, h, k, W', C)
    across = down.reshape(n, h, len(rows), width // sw, sw, c).transpose(2, 3)
    both = torch.cat([across[:, :, b : b + w] for b in range(len(columns) // sw)], 4)  # (B, h, w, k, k, C)
    return both.flatten(3).flatten(1, 2)


_PARITY = torch.tensor([[3, 1, 4], [4, 2, 0]])  # kernel index by output parity and tap; 4 stands for zero


def upsample(layer: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """The layer's output (B, C_out, H, W); kernel 4, stride 2 runs faster as 3 x 3 convolution and pixel shuffle."""
    if layer.kernel_size != (4, 4) or layer.stride != (2, 2) or layer.bias is None:
        return layer(x)
    taps = F.pad(layer.weight, (0, 1, 0, 1))[:, :, _PARITY][:, :, :, :, _PARITY]  # (C_in, C_out, 2, 3, 2, 3)
    kernel = taps.permute(1, 2, 4, 0, 3, 5).reshape(4 * layer.out_channels, layer.in_channels, 3, 3)
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    y = F.pixel_shuffle(F.conv2d(x, kernel, layer.bias.repeat_interleave(4), padding=1), 2)
    ph, pw = (p - 1 for p in _padding(layer))
    return y[:, :, ph : y.shape[2] - ph, pw : y.shape[3] - pw]


def _padding(layer: nn.ConvTranspose2d) -> tuple[int, int]:
    """Rows and columns of padding; a transposed convolution's are always numbers."""
    return int(layer.padding[0]), int(layer.padding[1])
