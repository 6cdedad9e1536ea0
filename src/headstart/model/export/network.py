"""A backbone's graph as a piece of another graph: cut down to what is wanted, with what fine-tuning changed.

Weights stay in half precision as the backbone's file has them, and are computed with in single precision. Needs onnx.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.deltas import fit_tensors
from headstart.backbones.graph import INPUT
from headstart.checks import join_words
from headstart.errors import BackboneError
from headstart.model.export.operators import OPSET, Graph, Value

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone


def open_network(backbone: Backbone, inputs: Sequence[str] = (INPUT,)) -> Any:
    """The ONNX model of a backbone with the tensors that fine-tuning changed; `BackboneError` for a damaged one.

    inputs: those that its graph must have.
    """
    import onnx

    try:
        model = onnx.load(str(backbone.graph))
        sound = model.opset_import[0].version == OPSET and [i.name for i in model.graph.input] == list(inputs)
    except Exception as error:  # protobuf's own errors, which differ by its version
        raise BackboneError(f"the graph {backbone.graph} is damaged: convert the backbone again.") from error
    if not sound:
        raise BackboneError(
            f"the graph of {backbone.name} is no graph of opset {OPSET} that takes {join_words(inputs)}: convert it "
            "again."
        )
    _apply_delta(model, backbone)
    return model


def _apply_delta(model: Any, backbone: Backbone) -> None:
    """Put the changed tensors in the place of the graph's own; as halves where that loses nothing."""
    if backbone.delta is None:
        return
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, array in fit_tensors(backbone, {name: tuple(t.dims) for name, t in tensors.items()}).items():
        halved = numpy_helper.to_array(tensors[name]).dtype == np.float16 and _same_as_half(array)
        tensors[name].CopyFrom(numpy_helper.from_array(array.astype(np.float16) if halved else array, name))


def _same_as_half(array: NDArray[Any]) -> bool:
    return bool((array.astype(np.float16).astype(np.float32) == array).all())


def add_network(
    graph: Graph, model: Any, inputs: Mapping[str, Value], wanted: Sequence[str], prefix: str
) -> dict[str, Value]:
    """Add what `wanted` outputs of a backbone's model need; gives their names in the graph.

    inputs: name of the model's input → what it takes. prefix: before every name of the piece.
    """
    outputs = {output.name for output in model.graph.output}
    if missing := [name for name in wanted if name not in outputs]:
        raise BackboneError(f"the graph of the backbone has no output {missing[0]!r}: convert the backbone again.")
    nodes = needed_nodes(model.graph.node, wanted)
    used = {name for node in nodes for name in node.input}

    def rename(name: str) -> str:
        return inputs.get(name, f"{prefix}{name}") if name else ""

    for node in nodes:
        copy = type(node)()
        copy.CopyFrom(node)
        copy.name = f"{prefix}{node.name or node.output[0]}"
        copy.input[:] = [rename(name) for name in node.input]
        copy.output[:] = [rename(name) for name in node.output]
        graph.nodes.append(copy)
    for tensor in model.graph.initializer:
        if tensor.name in used:
            copy = type(tensor)()
            copy.CopyFrom(tensor)
            copy.name = rename(tensor.name)
            graph.constants.append(copy)
    return {name: rename(name) for name in wanted}


def needed_nodes(nodes: Iterable[Any], wanted: Sequence[str], given: Sequence[str] = ()) -> list[Any]:
    """The nodes that these results need, in their order. given: results that are there already."""
    nodes, needed, kept = list(nodes), set(wanted), []
    for node in reversed(nodes):
        if needed & set(node.output) - set(given):
            kept.append(node)
            needed.update(node.input)
    return kept[::-1]
