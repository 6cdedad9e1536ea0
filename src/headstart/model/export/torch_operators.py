"""ONNX's operators in torch: those that exported heads, convolutional backbones and vision transformers use.

`operators` gives a function of a node's inputs and attributes for the name of each. Sizes are torch's symbolic integers
and stay symbols; a vector of them is a list, which `torch_sizes` computes with. torch is imported where a program is
made, not with this module.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from headstart.errors import OptionError
from headstart.model.export import torch_sizes

Operator: TypeAlias = Callable[[list[Any], dict[str, Any]], Any]


def _is_size(*values: Any) -> bool:
    """Whether all are sizes: integers, or symbols of them."""
    import torch

    return all(isinstance(value, (int, torch.SymInt)) for value in values)


def _both(numbers: Callable[..., Any], tensors: Callable[..., Any]) -> Operator:
    """One function for sizes, another for tensors."""
    return lambda a, _: (numbers if _is_size(*a[:2]) else tensors)(*a)


def _one(function: Callable[..., Any]) -> Operator:
    """A function of the inputs alone."""
    return lambda a, _: function(*a)


def _clipped(a: Any, b: Any, function: Callable[..., Any]) -> Any:
    """Minimum or maximum of a tensor and a number."""
    import torch

    tensor, other = (a, b) if isinstance(a, torch.Tensor) else (b, a)
    other = other if isinstance(other, torch.Tensor) else torch.scalar_tensor(other, dtype=tensor.dtype)
    return function(tensor, other)


def _more(a: Any, b: Any) -> Any:
    """Whether a > b; of sizes 1 or 0, without asking which."""
    import torch

    return torch.sym_min(torch.sym_max(a - b, 0), 1) if _is_size(a, b) else a > b


def _cast(a: list[Any], about: dict[str, Any]) -> Any:
    """Cast to the type that the node names."""
    import torch
    from onnx import helper

    kind = torch.from_numpy(np.zeros(0, helper.tensor_dtype_to_np_dtype(about["to"]))).dtype
    if _is_size(a[0]):
        return torch.sym_float(a[0]) if kind.is_floating_point else a[0]
    return torch_sizes.cast(a[0], kind) if torch_sizes.is_list(a[0]) else a[0].to(kind)


def _gather(a: list[Any], about: dict[str, Any]) -> Any:
    """Elements of a list of sizes, or slices of a tensor."""
    values, index = a
    if torch_sizes.is_list(values):
        return [values[i] for i in index] if torch_sizes.is_list(index) else values[index]
    axis = about.get("axis", 0)
    if isinstance(index, int):
        return values.select(axis, index)
    before, after = values.shape[:axis], values.shape[axis + 1 :]
    return values.index_select(axis, index.reshape(-1)).reshape(*before, *index.shape, *after)


def _reduced(function: Callable[..., Any]) -> Operator:
    """A reduction over axes."""

    def run(a: list[Any], about: dict[str, Any]) -> Any:
        axes = a[1] if len(a) > 1 else about["axes"]
        return function(a[0], dim=list(axes), keepdim=bool(about.get("keepdims", 1)))

    return run


def _concatenated(a: list[Any], about: dict[str, Any]) -> Any:
    """Tensors along an axis, or lists of sizes."""
    import torch

    if any(torch_sizes.is_list(part) for part in a):
        return [n for part in a for n in part]
    return torch.cat(a, dim=about["axis"])


def _slice_of(a: list[Any], _: dict[str, Any]) -> Any:
    """Slices with steps forward, of a list of sizes too."""
    axes = a[3] if len(a) > 3 and a[3] is not None else range(len(a[1]))
    steps = a[4] if len(a) > 4 else [1] * len(a[1])
    if torch_sizes.is_list(a[0]):
        return a[0][a[1][0] : a[2][0] : steps[0]]
    index = [slice(None)] * a[0].ndim
    for low, high, axis, step in zip(a[1], a[2], axes, steps, strict=True):
        index[axis] = slice(low, high, step)
    return a[0][tuple(index)]


def _padded(a: list[Any], _: dict[str, Any]) -> Any:
    """Constant padding; torch counts pads from the last axis, lowest first."""
    from torch.nn import functional

    half = len(a[1]) // 2
    pads = [n for low, high in zip(a[1][:half], a[1][half:], strict=True) for n in (high, low)]
    return functional.pad(a[0], pads[::-1], value=float(a[2]) if len(a) > 2 and a[2] is not None else 0.0)


def _convolved(a: list[Any], about: dict[str, Any]) -> Any:
    """A convolution with pads that may differ from side to side."""
    from torch.nn import functional

    low, high = about["pads"][: len(about["pads"]) // 2], about["pads"][len(about["pads"]) // 2 :]
    x = functional.pad(a[0], [low[1], high[1], low[0], high[0]]) if low != high else a[0]
    bias = a[2] if len(a) > 2 else None
    padding = low if low == high else 0
    return functional.conv2d(
        x, a[1], bias, about.get("strides", 1), padding, about.get("dilations", 1), about.get("group", 1)
    )


def _top(a: list[Any], about: dict[str, Any]) -> Any:
    """The k largest or smallest, and where."""
    import torch

    return tuple(torch.topk(a[0], int(a[1][0]), dim=-1, largest=bool(about["largest"]), sorted=True))


def _shape(a: list[Any], about: dict[str, Any]) -> Any:
    """The sides, or some of them."""
    sides = [len(a[0])] if torch_sizes.is_list(a[0]) else list(a[0].shape)
    return sides[about.get("start", 0) : about.get("end")]


def _filled(a: list[Any], about: dict[str, Any]) -> Any:
    """One number everywhere; a list of sizes where these are whole numbers in a vector of known length."""
    import torch
    from onnx import numpy_helper

    value = numpy_helper.to_array(about["value"])[0] if "value" in about else np.float32(0)
    if len(a[0]) == 1 and isinstance(a[0][0], int) and value.dtype == np.int64:
        return [int(value)] * a[0][0]
    return torch.full(a[0], value.item(), dtype=torch.from_numpy(np.zeros(0, value.dtype)).dtype)


def _with_axes(a: list[Any], _: dict[str, Any]) -> Any:
    """New axes of one element; a size becomes a list of one."""
    if _is_size(a[0]):
        return [a[0]]
    for axis in sorted(a[1]):
        a[0] = a[0].unsqueeze(axis)
    return a[0]


def _without_axes(a: list[Any], _: dict[str, Any]) -> Any:
    """Without axes of one element; a list of one size becomes that."""
    if torch_sizes.is_list(a[0]):
        return a[0][0]
    return a[0].squeeze(tuple(a[1])) if len(a) > 1 else a[0].squeeze()


def _expanded(a: list[Any], _: dict[str, Any]) -> Any:
    """Broadcast to sides; where they say 1, the tensor's own side stays."""
    return a[0].expand([-1 if isinstance(n, int) and n == 1 else n for n in a[1]])


def _split(a: list[Any], about: dict[str, Any]) -> Any:
    """Pieces of these lengths along an axis."""
    return tuple(a[0].split(a[1], dim=about.get("axis", 0)))


def _normalised(a: list[Any], about: dict[str, Any]) -> Any:
    """Layer normalisation over the axes from one to the last."""
    from torch.nn import functional

    sides = a[0].shape[about.get("axis", -1) :]
    return functional.layer_norm(a[0], sides, a[1], a[2] if len(a) > 2 else None, about.get("epsilon", 1e-5))


def _affine(a: list[Any], about: dict[str, Any]) -> Any:
    """A matrix product with an offset."""
    left = a[0].T if about.get("transA") else a[0]
    product = about.get("alpha", 1.0) * (left @ (a[1].T if about.get("transB") else a[1]))
    return product + about.get("beta", 1.0) * a[2] if len(a) > 2 else product


def _pooled(function: Callable[..., Any]) -> Operator:
    """The largest or the mean of windows, of the same margin on both sides of an axis."""

    def run(a: list[Any], about: dict[str, Any]) -> Any:
        pads = about.get("pads", [0, 0, 0, 0])
        if pads[:2] != pads[2:] or about.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise OptionError("the backbone pools with margins that differ from side to side: export to onnx.")
        return function(
            a[0], about["kernel_shape"], about.get("strides", 1), pads[:2], ceil_mode=bool(about.get("ceil_mode", 0))
        )

    return run


def _bounded(a: list[Any], _: dict[str, Any]) -> Any:
    """Between two tensors."""
    import torch

    return torch.minimum(torch.maximum(a[0], a[1]), a[2])


def _reshaped(a: list[Any], _: dict[str, Any]) -> Any:
    """New sides; 0 keeps a side."""
    if torch_sizes.is_list(a[0]):  # in one axis as before
        return a[0]
    return a[0].reshape([a[0].shape[i] if n == 0 else n for i, n in enumerate(a[1])])


def operators() -> dict[str, Operator]:
    """A function for every operator that is known here, by its name."""
    import torch
    from torch.nn import functional

    return {
        "Add": torch_sizes.by_element(operator.add),
        "Sub": torch_sizes.by_element(operator.sub),
        "Mul": torch_sizes.by_element(operator.mul),
        "Div": torch_sizes.by_element(torch.div, operator.floordiv),
        "Neg": _one(operator.neg),
        "MatMul": _one(torch.matmul),
        "Min": _both(torch.sym_min, lambda a, b: _clipped(a, b, torch.minimum)),
        "Max": _both(torch.sym_max, lambda a, b: _clipped(a, b, torch.maximum)),
        "Greater": _one(_more),
        "GreaterOrEqual": _one(operator.ge),
        "Less": _one(operator.lt),
        "LessOrEqual": _one(operator.le),
        "And": _one(torch.logical_and),
        "Where": torch_sizes.by_element(torch.where, lambda a, b, c: b if a else c),
        "Equal": torch_sizes.by_element(torch.eq, operator.eq),
        "Abs": _one(torch.abs),
        "Sign": _one(torch.sign),
        "Sqrt": _one(torch.sqrt),
        "Pow": _one(torch.pow),
        "Erf": _one(torch.erf),
        "Tanh": _one(torch.tanh),
        "Sin": _one(torch.sin),
        "Cos": _one(torch.cos),
        "Exp": _one(torch.exp),
        "Log": _one(torch.log),
        "Floor": _one(torch.floor),
        "Relu": _one(torch.relu),
        "Sigmoid": _one(torch.sigmoid),
        "HardSigmoid": lambda a, about: (about.get("alpha", 0.2) * a[0] + about.get("beta", 0.5)).clamp(0, 1),
        "HardSwish": _one(functional.hardswish),
        "Identity": _one(lambda x: x.clone()),
        "Clip": _bounded,
        "Cast": _cast,
        "Shape": _shape,
        "Gather": _gather,
        "GatherElements": lambda a, about: torch.gather(a[0], about["axis"], a[1]),
        "Range": _one(torch.arange),
        "Unsqueeze": _with_axes,
        "Squeeze": _without_axes,
        "Transpose": lambda a, about: a[0].permute(about["perm"]),
        "Concat": _concatenated,
        "Reshape": _reshaped,
        "ConstantOfShape": _filled,
        "Expand": _expanded,
        "Split": _split,
        "Flatten": _one(lambda x: x.flatten(1)),
        "Slice": _slice_of,
        "Pad": _padded,
        "TopK": _top,
        "ArgMax": lambda a, about: a[0].argmax(dim=about["axis"], keepdim=bool(about["keepdims"])),
        "Softmax": lambda a, about: torch.softmax(a[0], dim=about["axis"]),
        "ReduceSum": _reduced(torch.sum),
        "ReduceMean": _reduced(torch.mean),
        "ReduceMax": _reduced(torch.amax),
        "ReduceMin": _reduced(torch.amin),
        "GlobalAveragePool": _one(lambda x: x.mean(dim=(2, 3), keepdim=True)),
        "MaxPool": _pooled(functional.max_pool2d),
        "AveragePool": _pooled(functional.avg_pool2d),
        "Conv": _convolved,
        "Gemm": _affine,
        "LayerNormalization": _normalised,
        "BatchNormalization": lambda a, about: functional.batch_norm(
            a[0], a[3], a[4], a[1], a[2], eps=about.get("epsilon", 1e-5)
        ),
    }
