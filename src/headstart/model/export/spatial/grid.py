"""A head's outputs on a grid, in operators: a 1x1 convolution a tap, Resize and Add; a ReLU and one more convolution.

As `CellNetwork.grid` of `heads.spatial.network`. Interpolation and a linear layer commute, so taps of one size are
added before they are enlarged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.heads.spatial.network import CellNetwork
from headstart.model.export.operators import Graph, Operand, Value
from headstart.records.arrays import Floats


def add_context(graph: Graph, tap: Value, side: int) -> Value:
    """The mean over `side` cells about each cell, cut at the border: as `embed.spatial.taps.window_mean`."""
    half = side // 2
    return graph.op("AveragePool", tap, kernel_shape=[side, side], pads=[half] * 4, strides=[1, 1], count_include_pad=0)


def add_grid(graph: Graph, taps: Sequence[tuple[Value, int, int]], head: CellNetwork, columns: int, rows: int) -> Value:
    """(1, o, rows, columns). taps: (1, channels, h, w) each, with its channels and its rows h."""
    parts: dict[int, Value] = {}
    start = 0
    for tap, channels, high in taps:
        part = _convolve(graph, tap, head.inner[start : start + channels])
        start += channels
        parts[high] = graph.op("Add", parts[high], part) if high in parts else part
    hidden: Operand = head.inner_bias.reshape(1, -1, 1, 1)
    for part in parts.values():
        hidden = graph.op("Add", resize(graph, part, columns, rows), hidden)
    if head.outer is None or head.outer_bias is None:
        return str(hidden)
    outer = _convolve(graph, graph.op("Relu", hidden), head.outer)
    return graph.op("Add", outer, head.outer_bias.reshape(1, -1, 1, 1))


def _convolve(graph: Graph, tap: Value, layer: Floats) -> Value:
    """A 1x1 convolution. layer: (channels, o)."""
    return graph.op("Conv", tap, np.ascontiguousarray(layer.T, np.float32)[:, :, None, None])


def resize(graph: Graph, maps: Value, columns: int, rows: int) -> Value:
    """Maps (1, c, h, w) at the centres of a grid over the same area, between their own cells' centres."""
    shape = graph.op("Shape", maps)
    size = graph.op("Concat", graph.op("Slice", shape, np.array([0]), np.array([2])), np.array([rows, columns]), axis=0)
    return graph.op("Resize", maps, "", "", size, mode="linear", coordinate_transformation_mode="half_pixel")
