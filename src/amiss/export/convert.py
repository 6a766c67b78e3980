"""From torch to the bytes of an ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from amiss import __version__
from amiss.contracts import InputError, Scorer, WorkError
from amiss.data.images import Layout
from amiss.export.graph import Decision
from amiss.export.translations import translations

if TYPE_CHECKING:
    import onnx_ir

BATCH = "N"
"""Name of the dynamic dimension."""


def require_exportable(scorer: Scorer, layout: Layout) -> None:
    """Raise InputError, which says why, for what cannot become one graph, and where the extra is missing."""
    stuck = [m for m in scorer.modules() if isinstance(m, Scorer) and not m.exportable]
    if stuck:
        raise InputError(
            f"the score of {type(stuck[-1]).__name__} cannot be exported: it declares itself that torch.export cannot "
            f"trace it (exportable = False)"
        )
    if layout.tiling is not None:
        raise InputError(
            "a model that cuts images into tiles cannot be exported: the file would take images of one size, and the "
            "tiles of an image have to be put together outside of it"
        )
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f'exporting needs {error.name}: pip install "amiss[export]"') from error


def to_onnx(decision: Decision, layout: Layout) -> bytes:
    """Convert; the input is `images` (N, C, H, W) in the layout's depth.

    Raises WorkError where torch or ONNX cannot convert a scorer that calls itself exportable.
    """
    import onnx

    spec = layout.spec
    example = torch.zeros(2, spec.channels, spec.height, spec.width).to(getattr(torch, layout.depth))
    with quiet():
        try:
            program = torch.onnx.export(
                decision.eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim(BATCH)},),
                input_names=["images"],
                output_names=decision.names,
                external_data=False,
                verbose=False,
                optimize=False,
                custom_translation_table=translations(),
            )
            assert program is not None  # with dynamo there is one
            _simplify(program.model)
            model = program.model_proto
            onnx.checker.check_model(model)
        except Exception as error:
            raise WorkError(
                f"the score of {type(decision.scorer).__name__} could not be converted: {_reason(error)}; "
                f"AMISS_DEBUG=1 shows where"
            ) from error
    model.producer_name, model.producer_version = "amiss", __version__
    model.graph.name = "amiss"
    return bytes(model.SerializeToString())


def with_properties(content: bytes, properties: Mapping[str, str]) -> bytes:
    """The bytes of a file with other metadata properties."""
    import onnx

    model = onnx.load_model_from_string(content)
    onnx.helper.set_model_props(model, dict(properties))
    return bytes(model.SerializeToString())


def _simplify(model: onnx_ir.Model) -> None:
    """Fold constants and drop what is double or unused.

    Not the converter's own optimisation: its rules that fuse nodes fail on successive clips, and runtimes have theirs.
    """
    from onnx_ir.passes import Sequential, common
    from onnxscript import optimizer

    optimizer.fold_constants(model)
    _infer_batches(model)
    Sequential(
        common.RemoveUnusedNodesPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedOpsetsPass(),
        common.NameFixPass(),
    )(model)


def _infer_batches(model: onnx_ir.Model) -> None:
    """Let a shape with one unknown number be a constant with -1, instead of work for every batch."""
    import onnx_ir

    for node in list(model.graph):
        made = node.inputs[1].producer() if node.op_type == "Reshape" else None
        if made is None or made.op_type != "Concat":
            continue
        parts = [part and onnx_ir.convenience.get_const_tensor(part) for part in made.inputs]
        sizes = [-1 if part is None else int(part.numpy()[0]) for part in parts]
        reshaped = node.outputs[0].shape
        if sizes.count(-1) == 1 and reshaped is not None and len(reshaped) == len(sizes):
            content = onnx_ir.tensor(sizes, dtype=onnx_ir.DataType.INT64)
            shape = onnx_ir.Value(name=f"{node.name}_shape", const_value=content)
            model.graph.register_initializer(shape)
            node.replace_input_with(1, shape)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the converter tells its developers from the user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _reason(error: BaseException) -> str:
    """The first words of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
