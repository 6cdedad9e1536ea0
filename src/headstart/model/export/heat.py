"""Where in the image a linear head's scores come from, as an output of the graph: heat (N, K, 16, 16).

A linear score of pooled taps is a sum over positions, so this map is the score itself, taken apart, and no heuristic:
the mean over its tiles is the score. With the signed root, √|m| = |m| / √|m|, so each channel's weight is divided by
the root of its mean (class activation maps: Zhou et al. 2016). Only for taps that are means over positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.heads.forms.linear import Linear
from headstart.model.export.operators import Graph, Value
from headstart.records.arrays import Floats

TILES = 16
_MEANS = {"ReduceMean", "GlobalAveragePool", "Flatten", "Squeeze", "Reshape", "Constant"}
_TINY = np.float32(1e-12)


def is_mean_of(pooled: str, spatial: str, producers: dict[str, Any]) -> bool:
    """Whether a pooled tap is the mean over the positions of its spatial one. producers: result → node."""
    name = pooled
    while name != spatial:
        node = producers.get(name)
        if node is None or node.op_type not in _MEANS or not node.input:
            return False
        name = node.input[0]
    return True


def add_heat(graph: Graph, taps: Sequence[tuple[Value, Value, int]], form: Linear, name: str) -> Value:
    """The heat of taps (pooled, spatial, width), in the order in which the head has them side by side."""
    offset = (form.bias - form.centre @ form.weight).astype(np.float32)
    maps, low = [], 0
    for pooled, spatial, width in taps:
        maps.append(_tap_heat(graph, pooled, spatial, form.weight[low : low + width], rooted=bool(form.root)))
        low += width
    total = maps[0]
    for other in maps[1:]:
        total = graph.op("Add", total, other)
    shifted = graph.op("Add", total, offset[:, None])
    shape = np.array([0, len(offset), TILES, TILES], np.int64)
    return graph.op("Reshape", shifted, shape, name=name)


def _tap_heat(graph: Graph, pooled: Value, spatial: Value, weight: Floats, *, rooted: bool) -> Value:
    """(N, K, 256): each tile's part of the score that this tap gives."""
    tiles = _tiled(graph, spatial, len(weight))
    if rooted:
        root = graph.op("Sqrt", graph.op("Max", graph.op("Abs", pooled), _TINY))
        tiles = graph.op("Div", tiles, graph.op("Unsqueeze", root, np.array([2], np.int64)))
    return graph.op("MatMul", np.ascontiguousarray(weight.T), tiles)


def _tiled(graph: Graph, spatial: Value, width: int) -> Value:
    """(N, C, 256): the mean over every tile's area."""
    shape = graph.op("Shape", spatial)
    across = _area(graph, graph.op("Gather", shape, 3))
    down = _area(graph, graph.op("Gather", shape, 2))
    rows = graph.op("MatMul", down, spatial)
    square = graph.op("MatMul", rows, graph.op("Transpose", across, perm=[1, 0]))
    return graph.op("Reshape", square, np.array([0, width, TILES * TILES], np.int64))


def _area(graph: Graph, length: Value) -> Value:
    """(16, length): the share of each cell in each tile, by overlap; rows sum to one, columns to 16 / length."""
    count = graph.cast(length, np.float32)
    cells = graph.cast(graph.op("Unsqueeze", graph.op("Range", 0, length, 1), np.array([0], np.int64)), np.float32)
    low = graph.op("Div", cells, count)
    high = graph.op("Div", graph.op("Add", cells, np.float32(1)), count)
    edges = np.arange(TILES + 1, dtype=np.float32)[:, None] / TILES
    overlap = graph.op("Sub", graph.op("Min", high, edges[1:]), graph.op("Max", low, edges[:-1]))
    return graph.op("Mul", graph.op("Max", overlap, np.float32(0)), np.float32(TILES))
