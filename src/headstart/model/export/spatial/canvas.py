"""An image of any size on a model's canvas, in operators: as `Canvas.lay` (`embed.spatial.canvas`) makes it of pixels.

What follows needs the way back to the image's pixels too: where it lies on the canvas. Nothing is decoded here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.data.images.resample import GRID
from headstart.embed.spatial.canvas import FILLS, Canvas
from headstart.model.export.operators import Graph, Value
from headstart.model.export.resampling import Side, eight_bits, side_weights


@dataclass(frozen=True)
class Placing:
    """size: (2,) int64, width and height of the image. scales: (2,) float64, pixels of the canvas a pixel of the
    image. extent: (2,) int64, the columns and rows that it fills."""

    size: Value
    scales: Value
    extent: Value


def add_size(graph: Graph, image: Value, name: str) -> Value:
    """(2,) int64 width and height of uint8 (1, H, W, 3)."""
    shape = graph.op("Shape", image)
    return graph.op("Gather", shape, np.array([2, 1], np.int64), axis=0, name=name)


def add_placing(graph: Graph, size: Value, canvas: Canvas) -> Placing:
    """As `Canvas.scales` and `Canvas.extent`: one scale for both sides, or two where the shapes are nearly alike."""
    sides = np.array([canvas.width, canvas.height], np.float64)
    whole = graph.cast(size, np.float64)
    fills = graph.op("Div", sides, whole)
    least = graph.op("ReduceMin", fills, keepdims=1)
    most = graph.op("ReduceMax", fills, keepdims=1)
    nearly = graph.op("LessOrEqual", graph.op("Mul", most, np.float64(1 - FILLS)), least)
    scales = graph.op("Where", nearly, fills, graph.op("Expand", least, np.array([2], np.int64)))
    extent = graph.op("Round", graph.op("Mul", whole, scales))  # halves to even, as Python rounds
    extent = graph.op("Min", graph.op("Max", extent, np.float64(1)), sides)
    return Placing(size, scales, graph.cast(extent, np.int64))


def add_lay(
    graph: Graph, image: Value, placing: Placing, canvas: Canvas, ground: tuple[int, int, int], name: str
) -> Value:
    """uint8 (1, H, W, 3) → uint8 (1, height, width, 3) called `name`: scaled by a cubic into the upper left corner."""
    channels = graph.op("Transpose", graph.cast(image, np.float32), perm=[0, 3, 1, 2])
    across, seen_across = side_weights(graph, _side(graph, placing, 0), canvas.width, "bicubic")
    down, seen_down = side_weights(graph, _side(graph, placing, 1), canvas.height, "bicubic")
    narrow = eight_bits(graph, graph.op("MatMul", channels, graph.op("Transpose", across, perm=[1, 0])))
    laid = eight_bits(graph, graph.op("MatMul", down, narrow))
    seen = graph.op("Mul", seen_down, graph.op("Transpose", seen_across, perm=[1, 0]))
    bands = graph.op("Mul", graph.op("Sub", np.float32(1), seen), np.array(ground, np.float32).reshape(1, 3, 1, 1))
    whole = graph.op("Add", graph.op("Mul", laid, seen), bands)
    return graph.op("Identity", graph.cast(graph.op("Transpose", whole, perm=[0, 2, 3, 1]), np.uint8), name=name)


def _side(graph: Graph, placing: Placing, axis: int) -> Side:
    """The whole length of an axis (0 across, 1 down), on as many of the canvas's places as it fills."""
    length = graph.op("Gather", placing.size, axis, axis=0)
    out = graph.op("Gather", placing.extent, axis, axis=0)
    return Side(length, graph.constant(0), graph.op("Mul", length, GRID), out, graph.constant(0))
