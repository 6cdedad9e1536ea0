"""Calibration, novelty and the decision as operators: scores and layers → probabilities, novelty, accept or review.

The formulas are those of `trust.calibration.methods`, `trust.novelty.mahalanobis` and `trust.triage`. What looks at a
batch as a whole (shift) is no part of a graph: an image's answer does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.model.export.heads import round_down
from headstart.model.export.operators import Graph, Value
from headstart.trust.calibration.methods import Calibration
from headstart.trust.novelty.by_layer import LayerScale
from headstart.trust.novelty.mahalanobis import Mahalanobis
from headstart.trust.novelty.score import Novelty

_SMALL = np.float32(1e-12)
_FAR = np.float32(1e30)
_TINY = np.float32(1e-30)


def add_calibration(graph: Graph, scores: Value, calibration: Calibration, classes: int) -> Value:
    """Scores (N, K) → probabilities (N, K)."""
    plain = graph.op("Softmax", graph.op("Div", scores, np.float32(calibration.temperature)), axis=1)
    if calibration.method == "temperature":
        return plain
    mean = graph.op("ReduceMean", scores, axes=[1], keepdims=1)
    weight, bias = (np.asarray(calibration.parameters[name], np.float64) for name in ("weight", "bias"))
    stretched = graph.op("Mul", graph.op("Sub", scores, mean), (weight / calibration.temperature).astype(np.float32))
    scaled = graph.op("Softmax", graph.op("Add", stretched, bias.astype(np.float32)), axis=1)
    ordered = graph.op("Mul", _keep_order(graph, scaled, scores, classes), np.float32(1 - calibration.blend))
    return graph.op("Add", ordered, graph.op("Mul", plain, np.float32(calibration.blend)))


def _keep_order(graph: Graph, calibrated: Value, scores: Value, K: int) -> Value:
    """The nearest probabilities that fall where the scores fall, as `calibration.methods.keep_order`.

    The falling regression in closed form: f_i = min over a ≤ i of max over b ≥ i of the mean of ranks a to b.
    """
    _, order = graph.top(scores, K)
    ranked = graph.op("GatherElements", calibrated, order, axis=1)
    sums = graph.op("MatMul", ranked, np.triu(np.ones((K, K), np.float32)))  # (N, K): of ranks 0 to b
    before = graph.op("Sub", sums, ranked)
    through = graph.op("Unsqueeze", sums, np.array([1], np.int64))
    until = graph.op("Unsqueeze", before, np.array([2], np.int64))
    a, b = np.mgrid[:K, :K]
    means = graph.op("Div", graph.op("Sub", through, until), np.maximum(b - a + 1, 1).astype(np.float32))
    step = 1
    while step < K:  # the largest mean over all ends from b on, in log₂ K steps
        shifted = graph.op("Slice", means, *(np.array([value], np.int64) for value in (step, K, 2)))
        padded = graph.op("Pad", shifted, np.array([0, 0, 0, 0, 0, step], np.int64), -_FAR)
        means, step = graph.op("Max", means, padded), 2 * step
    masked = graph.op("Add", means, np.where(a > b, _FAR, np.float32(0)))
    falling = graph.op("ReduceMin", masked, axes=[1], keepdims=0)
    _, places = graph.top(order, K, largest=False)
    return graph.op("GatherElements", falling, places, axis=1)


def add_novelty(graph: Graph, layers: Sequence[Value], novelty: Novelty) -> Value:
    """The layers' embeddings → novelty (N,) in units of its threshold; above 1 is novel."""
    values = [
        value
        for layer, X in zip(novelty.form.layers, layers, strict=True)
        for value in _distance_and_direction(graph, X, layer)
    ]
    score = _mean_log_tail(graph, graph.op("Concat", *values, axis=1), novelty.form.scale)
    return graph.op("Div", score, np.float32(max(novelty.threshold, 1e-30)))


def _distance_and_direction(graph: Graph, X: Value, layer: Mahalanobis) -> tuple[Value, Value]:
    """(N, 1) each, as `Mahalanobis.distance_and_direction`."""
    means, axes = layer.means.astype(np.float32), layer.axes.astype(np.float32)
    projected = means @ axes
    mean_norms = (means * means).sum(axis=1) - (projected * projected) @ layer.discount
    rows = graph.unit_rows(graph.op("Sub", X, layer.centre))
    projections = graph.op("MatMul", rows, axes)
    discounted = graph.op("Mul", projections, layer.discount)
    norms = graph.op(
        "Sub", graph.sum(graph.op("Mul", rows, rows), 1), graph.sum(graph.op("Mul", projections, discounted), 1)
    )
    inner = graph.op("Sub", graph.op("MatMul", rows, means.T), graph.op("MatMul", discounted, projected.T))
    squares = graph.op("Sub", graph.op("Add", norms, mean_norms), graph.op("Mul", inner, np.float32(2)))
    nearest = graph.op("Max", graph.op("ReduceMin", squares, axes=[1], keepdims=1), np.float32(0))
    distance = graph.op("Sqrt", graph.op("Div", nearest, np.float32(float(layer.level) * layer.width)))
    length = graph.op("Sqrt", graph.op("Max", graph.op("Mul", norms, mean_norms), _SMALL))
    cosine = graph.op("ReduceMax", graph.op("Div", inner, length), axes=[1], keepdims=1)
    direction = graph.op("Sub", np.float32(1), cosine)
    return distance, graph.op("Mul", direction, np.float32(0)) if len(means) == 1 else direction


def _mean_log_tail(graph: Graph, values: Value, scale: LayerScale) -> Value:
    """As `LayerScale.mean_log_tail`: linear interpolation as a sum of clipped ramps, and the exponential tail."""
    knots = scale.knots
    heights = scale.heights.astype(np.float32)
    columns = graph.op("Unsqueeze", values, np.array([2], np.int64))
    widths = np.maximum(np.diff(knots, axis=1), _TINY)
    # As np.interp has it, a value on several equal knots is past them all: the tiny number makes their step 1 there.
    past = graph.op("Add", graph.op("Sub", columns, knots[:, :-1]), _TINY)
    ramps = graph.op("Clip", graph.op("Div", past, widths), np.float32(0), np.float32(1))
    rise = graph.sum(graph.op("Mul", ramps, np.diff(heights)), 2, keep=False)
    beyond = graph.op("Max", graph.op("Sub", values, knots[:, -1]), np.float32(0))
    log_tails = graph.op("Add", rise, graph.op("Div", beyond, scale.tails))
    return graph.op("ReduceMean", log_tails, axes=[1], keepdims=0)


def add_decision(graph: Graph, probabilities: Value, novelty: Value | None, thresholds: Sequence[float]) -> Value:
    """1 to accept and 0 to review, int64 (N,): confidence above the predicted class's threshold, and not novel."""
    limits = round_down(np.asarray(thresholds, np.float64))
    predicted = graph.op("ArgMax", probabilities, axis=1, keepdims=0)
    confidence = graph.op("ReduceMax", probabilities, axes=[1], keepdims=0)
    accepted = graph.op("Greater", confidence, graph.op("Gather", limits, predicted))
    if novelty is not None:
        accepted = graph.op("And", accepted, graph.op("LessOrEqual", novelty, np.float32(1)))
    return graph.cast(accepted, np.int64)
