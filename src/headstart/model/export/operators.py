"""Writes ONNX graphs by calling operators on names, a little like numpy on arrays.

`Graph.op("Add", a, b)` adds a node and gives the name of its result; arrays and numbers among the inputs become
constants. Nothing is checked or run here. Needs onnx.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats

OPSET = 17
Value = str
"""The name of a tensor in the graph."""
Operand: TypeAlias = "Value | NDArray[Any] | np.generic | float"


@dataclass(eq=False)
class Graph:
    """A graph as it grows: nodes in an order in which they can run, and constants."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    count: int = 0

    def op(self, kind: str, *inputs: Operand, name: str = "", **attributes: Any) -> Value:
        """Add a node with one result; its name is given back. name: of the result, else a new one."""
        from onnx import helper

        output = name or self._name(kind)
        values = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, values, [output], name=output, **attributes))
        return output

    def top(self, values: Value, count: int | Value, *, largest: bool = True) -> tuple[Value, Value]:
        """The `count` largest values of each row, falling, and their positions. count: a number, or (1,) int64."""
        from onnx import helper

        outputs = [self._name("TopK"), self._name("TopK")]
        k = count if isinstance(count, str) else self.constant(np.array([count], np.int64))
        self.nodes.append(
            helper.make_node("TopK", [values, k], outputs, name=outputs[0], axis=-1, largest=int(largest), sorted=1)
        )
        return outputs[0], outputs[1]

    def constant(self, value: NDArray[Any] | np.generic | float) -> Value:
        """A constant; Python's whole numbers are int64, its fractions float32."""
        from onnx import numpy_helper

        kinds: dict[type, type] = {int: np.int64, float: np.float32}
        array = np.asarray(value, kinds.get(type(value)))
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def cast(self, value: Value, kind: Any) -> Value:
        """The values as numbers of a numpy type."""
        from onnx import helper

        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def sum(self, value: Value, axis: int, *, keep: bool = True) -> Value:
        """Sums along an axis."""
        return self.op("ReduceSum", value, np.array([axis], np.int64), keepdims=int(keep))

    def linear(self, rows: Value, weight: Floats, bias: Floats) -> Value:
        """rows @ weight + bias."""
        return self.op("Add", self.op("MatMul", rows, weight), bias)

    def unit_rows(self, rows: Value) -> Value:
        """Rows of length one, as `heads.forms.arrays.unit_rows`."""
        length = self.op("Sqrt", self.sum(self.op("Mul", rows, rows), 1))
        return self.op("Div", rows, self.op("Max", length, np.float32(1e-12)))

    def _name(self, kind: str) -> Value:
        self.count += 1
        return f"{kind.lower()}_{self.count}"
