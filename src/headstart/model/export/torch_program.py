"""A model's graph as a torch.export program (.pt2): the same operators, carried out by torch.

`GraphModule` walks the nodes of the ONNX graph, so that no formula stands twice; sizes are torch's symbolic integers,
and images, heights and widths stay dynamic. What depends on nothing is computed beforehand. Needs headstart[finetune].
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import MissingExtra, OptionError
from headstart.model.export.graph import IMAGE, METADATA, ExportGraph
from headstart.model.export.torch_sizes import is_list

_SIDES = (300, 280)  # of the example that is traced; any two different numbers


def require_torch(work: str = "exporting to torch") -> None:
    """Raise `MissingExtra` where torch is not installed."""
    if find_spec("torch") is None:
        raise MissingExtra(work, "finetune", "torch")


def write_program(exported: ExportGraph, path: Path) -> None:
    """Trace the graph and write it. Raises `OptionError` where an operator is not known here."""
    import torch
    from torch.export import Dim

    module = graph_module(exported)
    height, width = _SIDES
    example = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8)
    sides = {0: Dim("N", min=1, max=4096), 1: Dim("H", min=2, max=32768), 2: Dim("W", min=2, max=32768)}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (example,), dynamic_shapes=((sides,),), strict=False)
        metadata = {entry.key: entry.value for entry in exported.model.metadata_props}
        torch.export.save(program, path, extra_files={METADATA: metadata[METADATA]})


def open_program(path: Path) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    """A program of `write_program`, from arrays by input name to arrays by output name."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(path).module()

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs, by name."""
        with torch.no_grad():
            found = module(torch.from_numpy(np.array(inputs[IMAGE])))
        return {name: value.numpy() for name, value in found.items()}

    return run


def graph_module(exported: ExportGraph) -> Any:
    """The graph as a torch module: uint8 (N, H, W, 3), or the squares of a core graph in their order → outputs by name.

    Halves stay halves where the export asks for them; else they become singles beforehand.
    """
    from torch import nn

    from headstart.model.export.torch_operators import operators

    known = operators()
    constants, nodes = _fold(exported.model, keep_halves=exported.precision != "f32")
    inputs = [value.name for value in exported.model.graph.input]
    if unknown := sorted({node.op_type for node in nodes} - set(known)):
        raise OptionError(
            f"the backbone uses the operator {unknown[0]}, which is not exported to torch: export to onnx."
        )
    used = {name for node in nodes for name in node.input}

    class GraphModule(nn.Module):  # type: ignore[misc]
        """Carries out the nodes one after the other."""

        def __init__(self) -> None:
            super().__init__()
            import torch

            self.fixed: dict[str, Any] = {}
            self.buffer_names: dict[str, str] = {}
            for number, name in enumerate(sorted(used & set(constants))):
                array = constants[name]
                if array.dtype == np.int64 and array.ndim == 0:
                    self.fixed[name] = int(array)
                    continue
                self.buffer_names[name] = f"constant_{number}"
                self.register_buffer(f"constant_{number}", torch.from_numpy(np.array(array)))

        def forward(self, *images: Any) -> dict[str, Any]:
            """Every output of the graph."""
            values: dict[str, Any] = {**dict(zip(inputs, images, strict=True)), **self.fixed}
            values |= {name: getattr(self, buffer) for name, buffer in self.buffer_names.items()}
            for node in nodes:
                attributes = _attributes(node)
                results = known[node.op_type](_arguments(node, values, constants), attributes)
                for name, value in zip(node.output, results if isinstance(results, tuple) else (results,), strict=True):
                    values[name] = value
            return {name: values[name] for name in exported.outputs}

    return GraphModule().eval()


_PLAIN = {
    "ReduceSum": (1,),
    "Unsqueeze": (1,),
    "Squeeze": (1,),
    "Reshape": (1,),
    "Expand": (1,),
    "ConstantOfShape": (0,),
    "Split": (1,),
    "Slice": (1, 2, 3, 4),
    "Pad": (1,),
    "TopK": (1,),
}
"""Operator → inputs that torch takes as numbers rather than as tensors."""
_OF_SIZES = ("Add", "Sub", "Mul", "Div", "Equal", "Where", "Concat", "Gather", "Squeeze")
"""Operators that compute with lists of sizes."""


def _arguments(node: Any, values: Mapping[str, Any], constants: Mapping[str, Any]) -> list[Any]:
    """A node's inputs; constants beside lists of sizes are lists of numbers too."""
    plain: Collection[int] = _PLAIN.get(node.op_type, ())
    if node.op_type in _OF_SIZES and any(is_list(values.get(name)) for name in node.input):
        plain = range(len(node.input))
    return [
        (constants[name].tolist() if i in plain and name in constants else values[name]) if name else None
        for i, name in enumerate(node.input)
    ]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _fold(model: Any, *, keep_halves: bool = False) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Constants by name, with what follows from them alone, and the nodes that are left."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rest = []
    for node in model.graph.node:
        halves = node.op_type == "Cast" and constants.get(node.input[0], np.zeros(0)).dtype == np.float16
        if (keep_halves and halves) or not all(name in constants or not name for name in node.input):
            rest.append(node)
            continue
        inputs = [name for name in node.input if name]
        values = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(inputs)]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output]
        one = helper.make_model(helper.make_graph([node], "one", values, results), opset_imports=model.opset_import)
        found = ReferenceEvaluator(one).run(None, {name: constants[name] for name in inputs})
        constants |= dict(zip(node.output, map(np.asarray, found), strict=True))
    return constants, rest
