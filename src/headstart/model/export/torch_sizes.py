"""Vectors of sizes in a torch program: lists of integers and of torch's symbolic ones, element by element.

An ONNX graph computes shapes with the operators that it computes numbers with; as tensors they would no longer be
sizes to torch, hence lists. A function here takes the lists, or passes tensors on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def is_list(value: Any) -> bool:
    """Whether a value is a vector of sizes."""
    return isinstance(value, (list, tuple))


def is_size(value: Any) -> bool:
    """Whether a value is one size, or a symbol of one."""
    import torch

    return isinstance(value, (int, torch.SymInt))


def by_element(
    tensors: Callable[..., Any], sizes: Callable[..., Any] | None = None
) -> Callable[[list[Any], dict[str, Any]], Any]:
    """An operator of a node: one function for tensors, another for sizes and, element by element, for lists of them."""
    of_sizes = sizes or tensors

    def run(a: list[Any], _: dict[str, Any]) -> Any:
        if all(is_size(value) for value in a):
            return of_sizes(*a)
        if not any(is_list(value) for value in a):
            return tensors(*a)
        length = max(len(value) for value in a if is_list(value))
        columns = [_spread(value, length) for value in a]
        return [of_sizes(*elements) for elements in zip(*columns, strict=True)]

    return run


def cast(sizes: list[Any], kind: Any) -> Any:
    """A list of sizes as a tensor of floats; as it is for whole numbers."""
    import torch

    if not kind.is_floating_point:
        return sizes
    if all(isinstance(size, int) for size in sizes):  # converters take no whole number for a float
        return torch.tensor([float(size) for size in sizes], dtype=kind)
    return torch.stack([torch.scalar_tensor(size, dtype=kind) for size in sizes])


def _spread(value: Any, length: int) -> list[Any]:
    if not is_list(value):
        return [value] * length
    return list(value) * length if len(value) == 1 else list(value)
