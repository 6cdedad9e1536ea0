"""The decode's resampling as two matrix products: uint8 images of any size → the squares that a network takes.

The weights are `data.images.resample`'s closed formula: Pillow's cubic (a = -1/2) or triangle about centres on a grid
of 1/256 pixel, whose coordinates are exact in integers. After each product values are rounded and clipped to eight
bits, as Pillow does. No runtime's own Resize is used: they differ from one another and from Pillow. Sides up to about
16,000 pixels (at 260 a side) stay within 32 bits, which some runtimes compute in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.data.images.resample import GRID
from headstart.data.images.spec import ImageSpec
from headstart.model.export.operators import Graph, Value


@dataclass(frozen=True)
class Side:
    """One side of the square: the image's length there, and the part of it that fills `out` of the square's places.

    low, extent: of that part, in 1/256 pixel. out: how many places it fills. before: how many lie before it.
    """

    length: Value
    low: Value
    extent: Value
    out: Value
    before: Value


def add_resampling(graph: Graph, image: Value, spec: ImageSpec, name: str) -> Value:
    """uint8 (N, H, W, 3) → uint8 (N, size, size, 3) called `name`, as `spec.load` makes them of upright images."""
    shape = graph.op("Shape", image)
    height, width = (graph.op("Gather", shape, place) for place in (1, 2))
    columns, rows = _sides(graph, width, height, spec)
    channels = graph.op("Transpose", graph.cast(image, np.float32), perm=[0, 3, 1, 2])
    across, seen_across = side_weights(graph, columns, spec.size, spec.interpolation)
    down, seen_down = side_weights(graph, rows, spec.size, spec.interpolation)
    narrow = eight_bits(graph, graph.op("MatMul", channels, graph.op("Transpose", across, perm=[1, 0])))
    square = eight_bits(graph, graph.op("MatMul", down, narrow))
    if spec.fit == "pad":
        seen = graph.op("Mul", seen_down, graph.op("Transpose", seen_across, perm=[1, 0]))
        ground = np.array(spec.ground, np.float32).reshape(1, 3, 1, 1)
        bands = graph.op("Mul", graph.op("Sub", np.float32(1), seen), ground)
        square = graph.op("Add", graph.op("Mul", square, seen), bands)
    pixels = graph.cast(graph.op("Transpose", square, perm=[0, 2, 3, 1]), np.uint8)
    return graph.op("Identity", pixels, name=name)


def _sides(graph: Graph, width: Value, height: Value, spec: ImageSpec) -> tuple[Side, Side]:
    """Columns and rows."""
    if spec.fit == "crop":
        return _centre(graph, width, height, width, spec), _centre(graph, width, height, height, spec)
    return _whole(graph, width, height, width, spec), _whole(graph, width, height, height, spec)


def _centre(graph: Graph, width: Value, height: Value, length: Value, spec: ImageSpec) -> Side:
    """As `centre_square`: half = (256 · min(W, H) · size + resize) // (2 · resize), low = 128 · length - half."""
    shorter = graph.op("Min", width, height)
    scaled = graph.op("Add", graph.op("Mul", shorter, GRID * spec.size), spec.resize)
    half = graph.op("Max", graph.op("Div", scaled, 2 * spec.resize), 1)
    low = graph.op("Sub", graph.op("Mul", length, GRID // 2), half)
    return Side(length, low, graph.op("Mul", half, 2), graph.constant(spec.size), graph.constant(0))


def _whole(graph: Graph, width: Value, height: Value, length: Value, spec: ImageSpec) -> Side:
    """The whole length; padded, it fills size · length / longer places, rounded, halves to even."""
    extent, low = graph.op("Mul", length, GRID), graph.constant(0)
    if spec.fit == "squeeze":
        return Side(length, low, extent, graph.constant(spec.size), graph.constant(0))
    longer = graph.op("Max", width, height)
    scaled = graph.op("Mul", length, spec.size)
    quotient = graph.op("Div", scaled, longer)
    twice_rest = graph.op("Mul", graph.op("Sub", scaled, graph.op("Mul", quotient, longer)), 2)
    odd = graph.op("Sub", quotient, graph.op("Mul", graph.op("Div", quotient, 2), 2))
    up = graph.cast(graph.op("Greater", graph.op("Add", twice_rest, odd), longer), np.int64)
    out = graph.op("Max", graph.op("Add", quotient, up), 1)
    return Side(length, low, extent, out, graph.op("Div", graph.op("Sub", spec.size, out), 2))


def side_weights(graph: Graph, side: Side, size: int, interpolation: str) -> tuple[Value, Value]:
    """(size, length): every place's weights, which sum to one; and (size, 1): 1 where a place shows the image.

    With x the pixel, i the place, c_i = low + (i + ½) · extent / out its centre and s = max(extent / out, 256) the
    filter's width, both in 1/256 pixel, the filter's argument is (256 (x + ½) - c_i) / s. Times 2 · out it is whole.
    """
    places = graph.op("Sub", np.arange(size, dtype=np.int64)[:, None], side.before)
    pixels = graph.op("Unsqueeze", graph.op("Range", 0, side.length, 1), np.array([0], np.int64))
    centres = graph.op(
        "Add",
        graph.op("Mul", graph.op("Mul", side.low, 2), side.out),
        graph.op("Mul", graph.op("Add", graph.op("Mul", places, 2), 1), side.extent),
    )
    middles = graph.op("Mul", graph.op("Add", graph.op("Mul", pixels, 2), 1), graph.op("Mul", side.out, GRID))
    scale = graph.op("Max", graph.op("Mul", side.out, 2 * GRID), graph.op("Mul", side.extent, 2))
    distance = graph.op("Abs", graph.cast(graph.op("Sub", middles, centres), np.float32))
    raw = _filter(graph, graph.op("Div", distance, graph.cast(scale, np.float32)), interpolation)
    seen = graph.cast(
        graph.op("And", graph.op("GreaterOrEqual", places, 0), graph.op("Less", places, side.out)), np.float32
    )
    total = graph.op("Where", graph.op("Greater", seen, np.float32(0)), graph.sum(raw, 1), np.float32(1))
    return graph.op("Mul", graph.op("Div", raw, total), seen), seen


def _filter(graph: Graph, t: Value, interpolation: str) -> Value:
    """The filter at t ≥ 0: max(1 - t, 0), or Keys' cubic with a = -1/2 as Pillow has it."""
    if interpolation == "bilinear":
        return graph.op("Max", graph.op("Sub", np.float32(1), t), np.float32(0))
    squared = graph.op("Mul", t, t)
    inner = graph.op("Sub", graph.op("Mul", t, np.float32(1.5)), np.float32(2.5))
    near = graph.op("Add", graph.op("Mul", inner, squared), np.float32(1))  # (1.5 t - 2.5) t² + 1
    below_two = graph.op("Sub", np.float32(2), graph.op("Min", t, np.float32(2)))
    # -½ (t³ - 5 t² + 8 t - 4) = ½ (1 - t) (2 - t)²
    far = graph.op(
        "Mul",
        graph.op("Sub", np.float32(0.5), graph.op("Mul", t, np.float32(0.5))),
        graph.op("Mul", below_two, below_two),
    )
    return graph.op("Where", graph.op("Less", t, np.float32(1)), near, far)


def eight_bits(graph: Graph, values: Value) -> Value:
    """Rounded to whole numbers, halves up, and clipped to 0..255."""
    rounded = graph.op("Floor", graph.op("Add", values, np.float32(0.5)))
    return graph.op("Clip", rounded, np.float32(0), np.float32(255))
