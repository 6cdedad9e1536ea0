"""A segmenter's outputs as a class map at the size of inference, in operators: the image's part of the canvas."""

from __future__ import annotations

import numpy as np

from headstart.embed.spatial.canvas import Canvas
from headstart.model.export.operators import Graph, Value
from headstart.model.export.spatial.canvas import Placing
from headstart.model.export.spatial.grid import resize

LABELS = "labels"


def add_labels(graph: Graph, outputs: Value, canvas: Canvas, placing: Placing) -> None:
    """Adds the result labels, uint8 (rows, columns): the class of the highest score at each pixel that it fills.

    outputs: (1, K, rows, columns) on the grid.
    """
    large = resize(graph, outputs, canvas.width, canvas.height)
    best = graph.cast(graph.op("ArgMax", large, axis=1, keepdims=0), np.uint8)
    best = graph.op("Squeeze", best, np.array([0], np.int64))
    extent = graph.op("Gather", placing.extent, np.array([1, 0], np.int64), axis=0)
    graph.op("Slice", best, np.array([0, 0]), extent, np.array([0, 1]), name=LABELS)
