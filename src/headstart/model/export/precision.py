"""In which precision an exported model's numbers are stored and computed, and which formats can have which.

`f32` is the model as it is: its backbones' files hold halves already, everything else singles, all computed in single
precision. `f16` stores every large constant as halves and computes in single precision. `bf16` stores halves and asks
the runtime to compute in bfloat16. There is no int8: see docs/deploy/export.md. Needs onnx, and runs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import join_words, one_of
from headstart.errors import OptionError
from headstart.model.export.graph import ExportGraph

PRECISIONS = ("f32", "bf16", "f16")
_FORMATS = {
    "f32": ("onnx", "openvino", "torch", "web", "litert", "coreml"),
    "f16": ("onnx", "openvino", "torch", "web", "coreml"),
    "bf16": ("openvino",),
}
_REASONS = {
    ("bf16", "onnx"): "ONNX Runtime has no bfloat16 convolution on processors",
    ("bf16", "web"): "ONNX Runtime Web has no bfloat16",
    ("bf16", "torch"): "the program names every number's type, and would be slower on processors without bfloat16",
    ("bf16", "litert"): "LiteRT has no bfloat16",
    ("bf16", "coreml"): "Core ML has no bfloat16",
    ("f16", "litert"): "its converter folds halves into singles",
}
FEWEST = 1024
"""Numbers of the smallest constant that is halved."""
MOST_LOSS = 1e-3
"""Of a constant's length (Euclidean), that halving may cost; singles stay where it would cost more."""


def check_precision(precision: str, form: str) -> None:
    """Raise `OptionError` where a format cannot have a precision, with the reason."""
    one_of("precision", precision, PRECISIONS)
    if form not in _FORMATS[precision]:
        others = join_words([p for p in PRECISIONS if form in _FORMATS[p]], 10)
        raise OptionError(
            f"--precision {precision} was asked of the format {form!r}, which cannot have it: "
            f"{_REASONS[precision, form]}; choose {others}, or --to {join_words(list(_FORMATS[precision]), 10)}."
        )


def refuse_precision(precision: str, kind: str) -> None:
    """Raise `OptionError` where a precision was asked for of a model that has one alone. kind: of its data."""
    if precision != "f32":
        raise OptionError(f"a model of {kind} is exported in f32 alone, and {precision} was asked for: leave it out.")


def with_precision(exported: ExportGraph, precision: str) -> ExportGraph:
    """The graph with its large constants stored in that precision."""
    if precision == "f32":
        return exported
    return replace(exported, model=_halved(exported.model), precision=precision)


def _halved(model: Any) -> Any:
    """A copy in which large singles are halves that a Cast behind them makes singles again."""
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    copy = ModelProto()
    copy.CopyFrom(model)
    casts = []
    for tensor in copy.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < FEWEST:
            continue
        array = numpy_helper.to_array(tensor)
        if not _fits_halves(array):
            continue
        name, stored = tensor.name, f"{tensor.name}/half"
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=name, to=TensorProto.FLOAT))
    nodes = list(copy.graph.node)
    del copy.graph.node[:]
    copy.graph.node.extend([*casts, *nodes])
    return copy


def _fits_halves(array: NDArray[np.float32]) -> bool:
    """Whether an array is nearly the same in halves: neither too large for them, nor too small."""
    if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        return False
    singles = array.astype(np.float64)
    loss = np.linalg.norm(singles - array.astype(np.float16))
    return bool(loss <= MOST_LOSS * np.linalg.norm(singles))
