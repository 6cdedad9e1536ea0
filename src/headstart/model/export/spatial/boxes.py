"""A detector's outputs as boxes in the image's pixels, in operators: as `heads.spatial.decode.decode_boxes`.

A class is a batch of ONNX's NonMaxSuppression, so boxes of one class never suppress another's. A box that stays is the
mean of its neighbours' votes. Computed in single precision, where Headstart computes in double.
"""

from __future__ import annotations

import numpy as np

from headstart.heads.spatial.box_points import HIGHEST, LOWEST
from headstart.heads.spatial.decode import LEAST, MOST, MOST_CELLS, SUPPRESS, VOTES
from headstart.heads.spatial.points import Points
from headstart.model.export.operators import Graph, Value
from headstart.model.export.spatial.canvas import Placing

BOXES, SCORES, CLASSES = "boxes", "scores", "classes"
_NEVER = 1000.0
"""Taken from the logits of cells beside the image."""


def add_boxes(graph: Graph, outputs: Value, points: Points, classes: int, placing: Placing) -> None:
    """Adds the results boxes (n, 4) in pixels of the image, scores (n,) and classes (n,), the surest first.

    outputs: (1, K + 4, rows, columns). points: (m, 2) the centres of the grid's cells on the canvas.
    """
    flat = graph.op("Reshape", outputs, np.array([classes + 4, -1], np.int64))
    logits = graph.op("Slice", flat, np.array([0]), np.array([classes]), np.array([0]))
    logs = graph.op("Slice", flat, np.array([classes]), np.array([classes + 4]), np.array([0]))
    inside = graph.op("Less", points, graph.cast(placing.extent, np.float32))
    inside = graph.op("ReduceMin", graph.cast(inside, np.float32), axes=[1], keepdims=0)
    beside = graph.op("Mul", graph.op("Sub", inside, np.float32(1)), np.float32(_NEVER))
    # Ordered by logits: of probabilities near 1 many are equal in single precision.
    logits = graph.op("Add", graph.op("Clip", logits, np.float32(-30), np.float32(30)), beside)
    logits, cells = graph.top(logits, min(MOST_CELLS, len(points)))
    scores = graph.op("Sigmoid", logits)
    corners = graph.op("Gather", _corners(graph, logs, points), cells, axis=0)  # (K, 400, 4)
    rows = _suppress(graph, corners, logits)
    label = graph.op("Gather", rows, np.int64(0), axis=1)
    place = graph.op("Gather", rows, np.int64(2), axis=1)
    sure, order = _surest(graph, graph.op("GatherND", logits, _pairs(graph, label, place)))
    label, place = (graph.op("Gather", numbers, order, axis=0) for numbers in (label, place))
    surest = graph.op("GatherND", corners, _pairs(graph, label, place))
    neighbours, votes = (graph.op("Gather", of_class, label, axis=0) for of_class in (corners, scores))
    voted = _vote(graph, surest, neighbours, votes)
    _place(graph, voted, placing)
    graph.op("Sigmoid", sure, name=SCORES)
    graph.op("Identity", label, name=CLASSES)


def _corners(graph: Graph, logs: Value, points: Points) -> Value:
    """(m, 4) left, top, right and bottom on the canvas, of logarithms of distances (4, m)."""
    sides = graph.op("Exp", graph.op("Clip", logs, np.float32(LOWEST), np.float32(HIGHEST)))
    rows = graph.op("Transpose", sides, perm=[1, 0])
    signs = np.array([[-1, -1, 1, 1]], np.float32)
    return graph.op("Add", np.concatenate([points, points], axis=1).astype(np.float32), graph.op("Mul", rows, signs))


def _suppress(graph: Graph, corners: Value, logits: Value) -> Value:
    """(n, 3) class, 0 and place among the class's cells, of boxes that no surer one of their class overlaps."""
    alone = graph.op("Unsqueeze", logits, np.array([1], np.int64))
    below = np.array([np.log(LEAST / (1 - LEAST))], np.float32)
    limits = np.array([MOST_CELLS], np.int64), np.array([SUPPRESS], np.float32)
    return graph.op("NonMaxSuppression", corners, alone, *limits, below, center_point_box=0)


def _pairs(graph: Graph, label: Value, place: Value) -> Value:
    """(n, 2) indices of class and place."""
    return graph.op("Concat", *(graph.op("Unsqueeze", v, np.array([1], np.int64)) for v in (label, place)), axis=1)


def _surest(graph: Graph, logits: Value) -> tuple[Value, Value]:
    """At most a hundred logits, falling, and their positions."""
    count = graph.op("Min", graph.op("Shape", logits), np.array([MOST], np.int64))
    return graph.top(logits, count)


def _vote(graph: Graph, corners: Value, neighbours: Value, scores: Value) -> Value:
    """(n, 4) means of the boxes that overlap by half or more, weighted by score and exp(-(1 - overlap)² / 0.05).

    corners: (n, 4). neighbours: (n, 400, 4) of the class. scores: (n, 400).
    """
    overlap = _overlap(graph, graph.op("Unsqueeze", corners, np.array([1], np.int64)), neighbours)
    rest = graph.op("Sub", np.float32(1), overlap)
    weight = graph.op("Exp", graph.op("Div", graph.op("Mul", rest, rest), np.float32(-VOTES)))
    counted = graph.op(
        "And",
        graph.op("GreaterOrEqual", overlap, np.float32(0.5)),
        graph.op("GreaterOrEqual", scores, np.float32(LEAST)),
    )
    weight = graph.op("Mul", graph.op("Mul", weight, scores), graph.cast(counted, np.float32))
    wide = graph.op("Unsqueeze", weight, np.array([2], np.int64))
    # Offsets from the box itself are small, and so are their rounding errors.
    offsets = graph.op("Sub", neighbours, graph.op("Unsqueeze", corners, np.array([1], np.int64)))
    moved = graph.op("Div", graph.sum(graph.op("Mul", offsets, wide), 1, keep=False), graph.sum(weight, 1))
    return graph.op("Add", corners, moved)


def _overlap(graph: Graph, one: Value, others: Value) -> Value:
    """(n, 400) intersection over union of (n, 1, 4) and (n, 400, 4)."""

    def part(boxes: Value, low: int) -> Value:
        return graph.op("Slice", boxes, np.array([low]), np.array([low + 2]), np.array([2]))

    def area(spans: Value) -> Value:
        return graph.op("ReduceProd", spans, axes=[2], keepdims=0)

    low = graph.op("Max", part(one, 0), part(others, 0))
    high = graph.op("Min", part(one, 2), part(others, 2))
    shared = area(graph.op("Max", graph.op("Sub", high, low), np.float32(0)))
    areas = [area(graph.op("Sub", part(boxes, 2), part(boxes, 0))) for boxes in (one, others)]
    return graph.op("Div", shared, graph.op("Sub", graph.op("Add", *areas), shared))


def _place(graph: Graph, corners: Value, placing: Placing) -> None:
    """Boxes of the canvas in pixels of the image, cut at its border."""
    scales, size = (graph.cast(value, np.float32) for value in (placing.scales, placing.size))
    both = graph.op("Concat", scales, scales, axis=0)
    limits = graph.op("Concat", size, size, axis=0)
    placed = graph.op("Max", graph.op("Div", corners, both), np.float32(0))
    graph.op("Min", placed, limits, name=BOXES)
