"""Functions that the converter writes as a naive formula, which loses small or large values; here in full precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import onnx_ir


def translations() -> dict[Callable[..., object], Callable[..., object]]:
    """What `torch.onnx.export` takes as its custom translation table; needs onnxscript.

    The converter's own log(1 + z) is 0 for z below 1e-7, and its log(sigmoid(x)) is minus infinity for x below -88.
    """
    from onnxscript import opset20 as op

    def corrected(z: onnx_ir.Value, one: onnx_ir.Value) -> onnx_ir.Value:
        """log(1 + z) as log(u) z / (u - 1), with u = 1 + z as it is rounded, or z itself where u is 1 (W. Kahan)."""
        u = op.Add(z, one)
        rounded = op.Equal(u, one)
        return op.Where(rounded, z, op.Div(op.Mul(op.Log(u), z), op.Where(rounded, one, op.Sub(u, one))))

    def log1p(z: onnx_ir.Value) -> onnx_ir.Value:
        return corrected(z, op.Cast(1.0, to=z.dtype))

    def log_sigmoid(x: onnx_ir.Value) -> onnx_ir.Value:
        """min(x, 0) - log(1 + exp(-|x|))."""
        tail = corrected(op.Exp(op.Neg(op.Abs(x))), op.Cast(1.0, to=x.dtype))
        return op.Sub(op.Min(x, op.Cast(0.0, to=x.dtype)), tail)

    aten = torch.ops.aten
    return {aten.log1p.default: log1p, aten.log_sigmoid.default: log_sigmoid}
