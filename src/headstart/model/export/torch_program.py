"""A model's graph as a torch.export program (.pt2): the same operators, carried out by torch.

`GraphModule` walks the nodes of the ONNX graph, so that no formula stands twice; sizes are torch's symbolic integers,
and images, heights and widths stay dynamic. What depends on nothing is computed beforehand. Needs headstart[finetune].
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import MissingExtra, OptionError
from headstart.model.export.graph import IMAGE, METADATA, ExportGraph

_SIDES = (300, 280)  # of the example that is traced; any two different numbers


def require_torch() -> None:
    """Raise `MissingExtra` where torch is not installed."""
    if find_spec("torch") is None:
        raise MissingExtra("exporting to torch", "finetune", "torch")


def write_program(exported: ExportGraph, path: Path) -> None:
    """Trace the graph and write it. Raises `OptionError` where an operator is not known here."""
    import torch
    from torch.export import Dim

    module = graph_module(exported)
    height, width = _SIDES
    example = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8)
    shapes = {IMAGE: {0: Dim("N", min=1, max=4096), 1: Dim("H", min=2, max=32768), 2: Dim("W", min=2, max=32768)}}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (example,), dynamic_shapes=shapes, strict=False)
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
    """The graph as a torch module: uint8 (N, H, W, 3) → outputs by name."""
    from torch import nn

    constants, nodes = _fold(exported.model)
    if unknown := sorted({node.op_type for node in nodes} - set(_operators())):
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

        def forward(self, image: Any) -> dict[str, Any]:
            """Every output of the graph."""
            values: dict[str, Any] = {IMAGE: image, **self.fixed}
            values |= {name: getattr(self, buffer) for name, buffer in self.buffer_names.items()}
            known = _operators()
            for node in nodes:
                attributes = _attributes(node)
                arguments = [_argument(node, i, name, values, constants) for i, name in enumerate(node.input)]
                results = known[node.op_type](arguments, attributes)
                for name, value in zip(node.output, results if isinstance(results, tuple) else (results,), strict=True):
                    values[name] = value
            return {name: values[name] for name in exported.outputs}

    return GraphModule().eval()


_PLAIN = {"ReduceSum": (1,), "Unsqueeze": (1,), "Reshape": (1,), "Slice": (1, 2, 3, 4), "Pad": (1,), "TopK": (1,)}
"""Operator → inputs that torch takes as numbers rather than as tensors."""


def _argument(node: Any, position: int, name: str, values: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    if position in _PLAIN.get(node.op_type, ()) and name in constants:
        return constants[name].tolist()
    return values[name] if name else None


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _fold(model: Any) -> tuple[dict[str, NDArray[Any]], list[Any]]:
    """Constants by name, with what follows from them alone, and the nodes that are left."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rest = []
    for node in model.graph.node:
        if not all(name in constants or not name for name in node.input):
            rest.append(node)
            continue
        inputs = [name for name in node.input if name]
        values = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(inputs)]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output]
        one = helper.make_model(helper.make_graph([node], "one", values, results), opset_imports=model.opset_import)
        found = ReferenceEvaluator(one).run(None, {name: constants[name] for name in inputs})
        constants |= dict(zip(node.output, map(np.asarray, found), strict=True))
    return constants, rest


def _operators() -> dict[str, Callable[[list[Any], dict[str, Any]], Any]]:
    """ONNX's operators in torch: those that exported heads and convolutional backbones use."""
    import torch
    from torch.nn import functional

    def is_size(*values: Any) -> bool:
        return all(isinstance(value, (int, torch.SymInt)) for value in values)

    def both(numbers: Callable[..., Any], tensors: Callable[..., Any]) -> Callable[[list[Any], dict[str, Any]], Any]:
        return lambda a, _: (numbers if is_size(*a[:2]) else tensors)(*a)

    def one(function: Callable[..., Any]) -> Callable[[list[Any], dict[str, Any]], Any]:
        return lambda a, _: function(*a)

    def clipped(a: Any, b: Any, function: Callable[..., Any]) -> Any:
        tensor, other = (a, b) if isinstance(a, torch.Tensor) else (b, a)
        other = other if isinstance(other, torch.Tensor) else torch.scalar_tensor(other, dtype=tensor.dtype)
        return function(tensor, other)

    def more(a: Any, b: Any) -> Any:  # of sizes: 1 or 0, without asking which
        return torch.sym_min(torch.sym_max(a - b, 0), 1) if is_size(a, b) else a > b

    def cast(a: list[Any], about: dict[str, Any]) -> Any:
        from onnx import helper

        kind = torch.from_numpy(np.zeros(0, helper.tensor_dtype_to_np_dtype(about["to"]))).dtype
        if is_size(a[0]):
            return torch.sym_float(a[0]) if kind.is_floating_point else a[0]
        return a[0].to(kind)

    def gather(a: list[Any], about: dict[str, Any]) -> Any:
        values, index = a
        if isinstance(values, (list, torch.Size)):
            return values[index]
        axis = about.get("axis", 0)
        if isinstance(index, int):
            return values.select(axis, index)
        before, after = values.shape[:axis], values.shape[axis + 1 :]
        return values.index_select(axis, index.reshape(-1)).reshape(*before, *index.shape, *after)

    def reduced(function: Callable[..., Any]) -> Callable[[list[Any], dict[str, Any]], Any]:
        def run(a: list[Any], about: dict[str, Any]) -> Any:
            axes = a[1] if len(a) > 1 else about["axes"]
            return function(a[0], dim=list(axes), keepdim=bool(about.get("keepdims", 1)))

        return run

    def concatenated(a: list[Any], about: dict[str, Any]) -> Any:
        if any(isinstance(part, (list, torch.Size)) for part in a):
            return [n for part in a for n in (part.tolist() if isinstance(part, torch.Tensor) else part)]
        return torch.cat(a, dim=about["axis"])

    def slice_of(a: list[Any], _: dict[str, Any]) -> Any:
        index = [slice(None)] * a[0].ndim
        for low, high, axis in zip(a[1], a[2], a[3], strict=True):
            index[axis] = slice(low, high)
        return a[0][tuple(index)]

    def padded(a: list[Any], _: dict[str, Any]) -> Any:
        half = len(a[1]) // 2
        pads = [n for low, high in zip(a[1][:half], a[1][half:], strict=True) for n in (high, low)]
        return functional.pad(a[0], pads[::-1], value=float(a[2]) if len(a) > 2 and a[2] is not None else 0.0)

    def convolved(a: list[Any], about: dict[str, Any]) -> Any:
        low, high = about["pads"][: len(about["pads"]) // 2], about["pads"][len(about["pads"]) // 2 :]
        x = functional.pad(a[0], [low[1], high[1], low[0], high[0]]) if low != high else a[0]
        bias = a[2] if len(a) > 2 else None
        padding = low if low == high else 0
        return functional.conv2d(
            x, a[1], bias, about.get("strides", 1), padding, about.get("dilations", 1), about.get("group", 1)
        )

    def top(a: list[Any], about: dict[str, Any]) -> Any:
        return tuple(torch.topk(a[0], int(a[1][0]), dim=-1, largest=bool(about["largest"]), sorted=True))

    def shape(a: list[Any], about: dict[str, Any]) -> Any:
        return list(a[0].shape)[about.get("start", 0) : about.get("end")]

    def bounded(a: list[Any], _: dict[str, Any]) -> Any:
        return torch.minimum(torch.maximum(a[0], a[1]), a[2])

    def reshaped(a: list[Any], _: dict[str, Any]) -> Any:
        return a[0].reshape([a[0].shape[i] if n == 0 else n for i, n in enumerate(a[1])])

    return {
        "Add": one(operator.add),
        "Sub": one(operator.sub),
        "Mul": one(operator.mul),
        "Div": both(operator.floordiv, torch.div),
        "Neg": one(operator.neg),
        "MatMul": one(torch.matmul),
        "Min": both(torch.sym_min, lambda a, b: clipped(a, b, torch.minimum)),
        "Max": both(torch.sym_max, lambda a, b: clipped(a, b, torch.maximum)),
        "Greater": one(more),
        "GreaterOrEqual": one(operator.ge),
        "Less": one(operator.lt),
        "LessOrEqual": one(operator.le),
        "And": one(torch.logical_and),
        "Where": one(torch.where),
        "Abs": one(torch.abs),
        "Sign": one(torch.sign),
        "Sqrt": one(torch.sqrt),
        "Exp": one(torch.exp),
        "Log": one(torch.log),
        "Floor": one(torch.floor),
        "Relu": one(torch.relu),
        "Sigmoid": one(torch.sigmoid),
        "Identity": one(lambda x: x.clone()),
        "Clip": bounded,
        "Cast": cast,
        "Shape": shape,
        "Gather": gather,
        "GatherElements": lambda a, about: torch.gather(a[0], about["axis"], a[1]),
        "Range": one(torch.arange),
        "Unsqueeze": one(lambda x, axes: x.unsqueeze(axes[0])),
        "Transpose": lambda a, about: a[0].permute(about["perm"]),
        "Concat": concatenated,
        "Reshape": reshaped,
        "Expand": one(lambda x, sides: x.expand(sides)),
        "Flatten": one(lambda x: x.flatten(1)),
        "Slice": slice_of,
        "Pad": padded,
        "TopK": top,
        "ArgMax": lambda a, about: a[0].argmax(dim=about["axis"], keepdim=bool(about["keepdims"])),
        "Softmax": lambda a, about: torch.softmax(a[0], dim=about["axis"]),
        "ReduceSum": reduced(torch.sum),
        "ReduceMean": reduced(torch.mean),
        "ReduceMax": reduced(torch.amax),
        "ReduceMin": reduced(torch.amin),
        "GlobalAveragePool": one(lambda x: x.mean(dim=(2, 3), keepdim=True)),
        "Conv": convolved,
        "BatchNormalization": lambda a, about: functional.batch_norm(
            a[0], a[3], a[4], a[1], a[2], eps=about.get("epsilon", 1e-5)
        ),
    }
